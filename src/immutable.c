/* SPDX-License-Identifier: MIT */
/*
 * immutable.c - what keeps a file from changing; see immutable.h.
 *
 * Only what the kernel promises for every process: sealed memory, fs-verity, file systems that
 * cannot be written, a superblock that is read-only (a mount that is read-only says nothing: the
 * same files may be writable by another), and the attribute of chattr(1). Two of these can be taken
 * back, by a remount or by who may use chattr: whoever writes then moves the stamps, which are
 * compared at each chunk.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>

#include "immutable.h"
#include "prim.h"

/* linux/stat.h; older headers lack some of it */
struct statx_answer {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t links, uid, gid;
	uint16_t mode, spare;
	uint64_t inode, size, blocks, attributes_known;
	uint64_t times[8];
	uint32_t devices[4];
	uint64_t mount;
	uint64_t more[13];
};
_Static_assert(offsetof(struct statx_answer, mount) == 0x90 && sizeof(struct statx_answer) == 0x100,
	       "the kernel's struct statx");
enum { ATTRIBUTE_IMMUTABLE = 0x10, ATTRIBUTE_VERITY = 0x100000, WANT_UNIQUE_MOUNT = 0x4000 };

/* linux/mount.h of kernel 6.8 */
struct mount_request {
	uint32_t size, spare;
	uint64_t mount, what;
};
struct mount_answer {
	uint32_t size, spare;
	uint64_t what;
	uint32_t major, minor;
	uint64_t magic;
	uint32_t superblock_flags, type;
	uint64_t more[64];
};
enum { STATMOUNT = 457, WANT_SUPERBLOCK = 1, SUPERBLOCK_READ_ONLY = 1 };

/* since 6.8; before it nothing tells the superblock's flag from the mount's but a long text */
static bool superblock_is_read_only(uint64_t mount)
{
	struct mount_request r = { .size = sizeof(r), .mount = mount, .what = WANT_SUPERBLOCK };
	struct mount_answer a = { .size = 0 };

	return PRIM4(STATMOUNT, &r, &a, sizeof(a), 0) == 0 && (a.what & WANT_SUPERBLOCK) &&
	       (a.superblock_flags & SUPERBLOCK_READ_ONLY);
}

/* File systems that nothing writes to while they are mounted. */
static bool read_only_by_nature(long type)
{
	return type == EROFS_SUPER_MAGIC_V1 || type == SQUASHFS_MAGIC || type == ISOFS_SUPER_MAGIC;
}

/*
 * File systems whose superblock is theirs alone: of a network's, or of a layer over others, it says
 * nothing.
 */
static bool is_local(long type)
{
	return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC ||
	       type == F2FS_SUPER_MAGIC;
}

static bool is_sealed(int fd)
{
	enum { NEEDED = F_SEAL_WRITE | F_SEAL_SHRINK };
	int seals = prim_fcntl(fd, F_GET_SEALS, 0);

	return seals >= 0 && (seals & NEEDED) == NEEDED;
}

/* tmpfs tells of it here only, since 6.6. */
static bool has_flag(int fd)
{
	int flags = 0;

	return prim_ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL);
}

enum immutable immutable_why(int fd, long type)
{
	struct statx_answer s = { .mask = 0 };

	if (read_only_by_nature(type) || (type == TMPFS_MAGIC && is_sealed(fd)))
		return IMMUTABLE_WHOLLY;
	if (PRIM5(SYS_statx, fd, "", AT_EMPTY_PATH, WANT_UNIQUE_MOUNT, &s) < 0)
		return IMMUTABLE_NOT;
	if (is_local(type) && ((s.attributes & ATTRIBUTE_VERITY) ||
			       ((s.mask & WANT_UNIQUE_MOUNT) && superblock_is_read_only(s.mount))))
		return IMMUTABLE_WHOLLY;
	return (s.attributes & ATTRIBUTE_IMMUTABLE) || has_flag(fd) ? IMMUTABLE_ATTRIBUTE
								    : IMMUTABLE_NOT;
}
