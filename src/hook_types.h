/* SPDX-License-Identifier: MIT */
/* hook_types.h - the headers that the prototypes in hooks.def need. */
#ifndef SHUNT_HOOK_TYPES_H
#define SHUNT_HOOK_TYPES_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* For hooks_open.def and hooks_memory.def. */
#include <aio.h>
#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <mntent.h>
#include <mqueue.h>
#include <netdb.h>
#include <nl_types.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <threads.h>
#include <utime.h>
#include <utmp.h>
#include <utmpx.h>

/*
 * Symbols that libc exports and no header declares: aliases, the _chk forms that
 * _FORTIFY_SOURCE calls, and what binaries built before glibc 2.33 call for stat.
 */
struct __res_state;
int __xstat(int version, const char *path, struct stat *st);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat(int version, const char *path, struct stat *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstat(int version, int fd, struct stat *st);
int __fxstat64(int version, int fd, struct stat64 *st);
int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags);
int __fxstatat64(int version, int dir, const char *path, struct stat64 *st, int flags);
int __xmknod(int version, const char *path, mode_t mode, dev_t *dev);
int __xmknodat(int version, int dir, const char *path, mode_t mode, dev_t *dev);
int __statfs(const char *path, struct statfs *st);
int __dprintf_chk(int fd, int check, const char *format, ...);
int __vdprintf_chk(int fd, int check, const char *format, va_list list);
char *__getcwd_chk(char *buf, size_t n, size_t room);
ssize_t __readlink_chk(const char *path, char *buf, size_t n, size_t room);
ssize_t __readlinkat_chk(int dir, const char *path, char *buf, size_t n, size_t room);
int __getgroups_chk(int n, gid_t *list, size_t room);
int __ttyname_r_chk(int fd, char *buf, size_t n, size_t room);
int __ptsname_r_chk(int fd, char *buf, size_t n, size_t room);
mqd_t __mq_open_2(const char *name, int flags);
FILE *__setmntent(const char *path, const char *mode);
int __gettimeofday(struct timeval *t, void *zone);
int __adjtimex(struct timex *t);
pid_t __wait(int *status);
pid_t __waitpid(pid_t pid, int *status, int flags);
int __sched_getparam(pid_t pid, struct sched_param *p);
int __sched_setscheduler(pid_t pid, int policy, const struct sched_param *p);
int __connect(int fd, const struct sockaddr *addr, socklen_t n);
void _IO_setbuffer(FILE *f, char *buf, size_t n);
int _IO_setvbuf(FILE *f, char *buf, int mode, size_t n);
void *__sbrk(intptr_t change);
int capget(void *header, void *data);
int capset(void *header, const void *data);
int pivot_root(const char *root, const char *old);
int init_module(void *image, unsigned long n, const char *args);
int delete_module(const char *name, unsigned flags);
int res_query(const char *name, int class, int type, unsigned char *answer, int n);
int res_search(const char *name, int class, int type, unsigned char *answer, int n);
int res_querydomain(const char *name, const char *domain, int class, int type,
		    unsigned char *answer, int n);
int res_send(const unsigned char *query, int m, unsigned char *answer, int n);
int res_nquery(struct __res_state *state, const char *name, int class, int type,
	       unsigned char *answer, int n);
int res_nsearch(struct __res_state *state, const char *name, int class, int type,
		unsigned char *answer, int n);
int res_nquerydomain(struct __res_state *state, const char *name, const char *domain, int class,
		     int type, unsigned char *answer, int n);
int res_nsend(struct __res_state *state, const unsigned char *query, int m,
	      unsigned char *answer, int n);

/* libc's headers have these since glibc 2.34 and 2.36 */
struct mount_attr;
int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags);

/* libc's headers have these as macros too */
#undef fread_unlocked
#undef fwrite_unlocked

#endif
