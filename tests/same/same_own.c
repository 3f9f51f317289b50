/* SPDX-License-Identifier: MIT */
/*
 * same_own.c - the process itself changes the file of which a chunk is read and not
 * yet written. Its descriptor for writing is there from the start, so that no open tells
 * of it; a file that is open for writing lands under source:trust only.
 */
#include "same.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { PART = 20000 };

static char part[PART];
static struct iovec piece = { part, PART };

/* A descriptor for writing, and then a landed chunk. */
static int begin(struct same_rig *r)
{
	int fd = open("mine", O_RDWR);

	memset(part, 'm', PART);
	same_loop(r, SAME_ROUNDS);
	same_drain(r, 'g'); /* what is on its way may change with the file, by contract */
	same_read(r);
	return fd;
}

/* Where the middle of the chunk is in the file. */
static off_t middle(struct same_rig *r)
{
	return lseek(r->source, 0, SEEK_CUR) - 40000;
}

static void end(struct same_rig *r)
{
	same_say_buffer(r);
	same_write(r);
	same_loop(r, 2);
	same_read(r);
	same_write(r);
}

static void by_write(struct same_rig *r)
{
	int fd = begin(r);

	lseek(fd, middle(r), SEEK_SET);
	same_say("write", write(fd, part, PART));
	end(r);
}

static void by_writev(struct same_rig *r)
{
	int fd = begin(r);

	lseek(fd, middle(r), SEEK_SET);
	same_say("writev", writev(fd, &piece, 1));
	end(r);
}

static void by_pwrite(struct same_rig *r)
{
	int fd = begin(r);

	same_say("pwrite", pwrite(fd, part, PART, middle(r)));
	end(r);
}

static void by_pwritev(struct same_rig *r)
{
	int fd = begin(r);

	same_say("pwritev", pwritev(fd, &piece, 1, middle(r)));
	same_write(r);
	same_read(r);
	same_say("pwritev2", pwritev2(fd, &piece, 1, middle(r), 0));
	end(r);
}

static void by_syscall(struct same_rig *r)
{
	int fd = begin(r);

	same_say("pwrite64", syscall(SYS_pwrite64, fd, part, PART, middle(r)));
	end(r);
}

static void by_ftruncate(struct same_rig *r)
{
	int fd = begin(r);

	same_say("ftruncate", ftruncate(fd, 1000));
	same_say_buffer(r);
	same_write(r);
}

static void by_fallocate(struct same_rig *r)
{
	int fd = begin(r);

	same_say("fallocate", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					middle(r) & ~4095, 8192));
	end(r);
}

static void by_sendfile(struct same_rig *r)
{
	int fd = begin(r), other = open("../other", O_RDONLY);

	lseek(fd, middle(r), SEEK_SET);
	same_say("sendfile", sendfile(fd, other, NULL, PART));
	end(r);
}

static void by_copy_file_range(struct same_rig *r)
{
	int fd = begin(r), other = open("../other", O_RDONLY);
	off_t to = middle(r);

	same_say("copy_file_range", copy_file_range(other, NULL, fd, &to, PART, 0));
	end(r);
}

static void by_splice(struct same_rig *r)
{
	int fd = begin(r), pair[2];
	off_t to = middle(r);

	if (pipe(pair) != 0)
		return;
	same_say("write", write(pair[1], part, PART));
	same_say("splice", splice(pair[0], NULL, fd, &to, PART, 0));
	end(r);
}

static void by_mapping(struct same_rig *r)
{
	int fd = begin(r);
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return;
	memset(p, 'm', 1 << 20);
	end(r);
}

/* The next chunk, of which shunt may know the first bytes already. */
static void ahead_of_it(struct same_rig *r)
{
	int fd = begin(r);

	for (int i = 0; i < 6; i++) {
		same_say("pwrite", pwrite(fd, part, 3000, lseek(r->source, 0, SEEK_CUR)));
		same_write(r);
		same_read(r);
	}
	end(r);
}

/* The same with nothing landed at that moment. */
static void ahead_of_a_look(struct same_rig *r)
{
	int fd = begin(r);

	same_say_buffer(r);
	same_say("pwrite", pwrite(fd, part, 3000, lseek(r->source, 0, SEEK_CUR)));
	same_write(r);
	same_read(r);
	end(r);
}

/* Another process does it; it is done before the read. */
static void ahead_by_other(struct same_rig *r)
{
	same_write(r);
	same_drain(r, 'o');
	same_read(r);
	end(r);
}

static void ahead_by_other_later(struct same_rig *r)
{
	same_write(r);
	same_drain(r, 'o');
	usleep(50000);
	same_read(r);
	end(r);
}

#define OWN(name) { #name, name, SAME_BARE | SAME_OWN, 0 }

static const struct same_case cases[] = {
	OWN(by_write),
	OWN(by_writev),
	OWN(by_pwrite),
	OWN(by_pwritev),
	OWN(by_syscall),
	OWN(by_ftruncate),
	OWN(by_fallocate),
	OWN(by_sendfile),
	OWN(by_copy_file_range),
	OWN(by_splice),
	OWN(by_mapping),
	OWN(ahead_of_it),
	OWN(ahead_of_a_look),
	{ "ahead_by_other", ahead_by_other, SAME_OWN | SAME_NO_LEASE, 0 },
	{ "ahead_by_other_later", ahead_by_other_later, SAME_OWN | SAME_NO_LEASE, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
