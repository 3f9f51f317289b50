/* SPDX-License-Identifier: MIT */
/*
 * old_kernel.c - runs a command as if the kernel were that of Debian 12: without PROCMAP_QUERY
 * (6.11), PAGEMAP_SCAN (6.7) and cachestat (6.5). By a filter of system calls, which what it starts
 * inherits.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

enum { CACHESTAT = 451 };
#define PROCMAP_QUERY_ 0xc0686611u
#define PAGEMAP_SCAN_ 0xc0606610u

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define GIVE(what) BPF_STMT(BPF_RET | BPF_K, (what))

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		LOAD(arch),
		IS(ARCH, 0, 6),
		LOAD(nr),
		IS(CACHESTAT, 5, 0),
		IS(SYS_ioctl, 0, 3),
		LOAD(args[1]), /* its lower half: both machines have that first */
		IS(PROCMAP_QUERY_, 3, 0),
		IS(PAGEMAP_SCAN_, 2, 0),
		GIVE(SECCOMP_RET_ALLOW),
		GIVE(SECCOMP_RET_ERRNO | ENOSYS),
		GIVE(SECCOMP_RET_ERRNO | ENOTTY),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (argc < 2)
		return 2;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("old_kernel");
		return 77;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
