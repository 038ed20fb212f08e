# SPDX-License-Identifier: ISC
"""The three file systems of the appliance, made in a file without mounts and privilege. Nothing in them depends on the
machine or the hour of the build."""
import os
import subprocess
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
KEYS_SIZE = 4 * MIB
FEATURES = ("none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,"
            "huge_file,dir_nlink,extra_isize,metadata_csum,64bit,resize_inode")


def make(path, offset, size, label, block, inodes, journal, folder=None):
    """Over the octets of the file `path` from `offset` on, which are zeros; `journal` in MiB; with what is in `folder`."""
    ident = str(uuid.uuid5(uuid.NAMESPACE_DNS, label))
    env = dict(os.environ, E2FSPROGS_FAKE_TIME=os.environ["SOURCE_DATE_EPOCH"], MKE2FS_CONFIG=HERE + "/mke2fs.conf",
               MKE2FS_SYNC="0")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", FEATURES, "-b", str(block), "-I", "256",
                    "-N", str(inodes), "-J", "size=%d" % journal, "-m", "0", "-e", "remount-ro", "-L", label,
                    "-U", ident, "-E", "hash_seed=%s,lazy_itable_init=0,lazy_journal_init=0,nodiscard,"
                    "root_owner=0:0,offset=%d" % (ident, offset)] + (["-d", folder] if folder else []) + [path, "%dk" % (size >> 10)],
                   env=env, check=True, stdin=subprocess.DEVNULL)


def keys(path, offset, copy, folder=None):
    make(path, offset, KEYS_SIZE, "tinpost-keys-" + copy, 1024, 512, 1, folder)


def data(path, offset, size):
    make(path, offset, size, "tinpost-data", 4096, 128, 8)
