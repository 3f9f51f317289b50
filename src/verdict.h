/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - why a chunk was rewritten or not: the one enum of reasons.
 *
 * It steers the code and is the report's column "why not". The word is what
 * people read and what scripts compare, so it never changes; the text is what
 * libshunt(7) and `shunt report -v` say about it.
 */
#ifndef SHUNT_VERDICT_H
#define SHUNT_VERDICT_H

/* V(identifier, word, explanation) */
#define VERDICTS(V)                                                                               \
	V(REWRITTEN, "-", "the bytes went from source to sink inside the kernel")                  \
	V(LEARNING, "learning", "the loop was still being watched; see the setting learn")         \
	V(FILLED, "filled", "the data was made safe before a sleep, a fork or the like")            \
	V(LOOKED_AT, "looked-at", "the program reads or changes the data between read and write")  \
	V(TOO_SMALL, "too-small", "the chunk is smaller than the smallest that pays; see min")     \
	V(NO_WHOLE_PAGE, "no-whole-page", "the buffer holds no whole page of memory")              \
	V(STACK, "stack", "the buffer lies on a stack")                                            \
	V(SHARED_MEMORY, "shared-memory", "the buffer is not plain private memory")                \
	V(WRITABLE, "writable", "the mapping of the file is or was writable, or is not what it was")\
	V(OVERLAP, "overlap", "reads into overlapping parts of one buffer follow each other")      \
	V(VECTORED, "vectored", "one read filled several buffers")                                 \
	V(DIRECT_IO, "direct-io", "the file is open with O_DIRECT")                                \
	V(SPECIAL_FILE, "special-file", "not a regular file of known size, as in /proc")           \
	V(FILE_SYSTEM, "file-system", "the file system is not on the list of those trusted")       \
	V(BEING_WRITTEN, "being-written", "another descriptor has the file open for writing")      \
	V(UNSETTLED, "unsettled", "the file changed less than ten seconds ago")                    \
	V(NO_LEASE, "no-lease", "source:lease, and we may not have a lease of the file")           \
	V(MUTABLE, "mutable", "source:immutable, and nothing keeps the file from being changed")   \
	V(CHANGED, "changed", "the file changed while it was served")                              \
	V(TRUNCATED, "truncated", "the file shrank while it was served; the connection was ended") \
	V(LOCKED, "locked", "this process has locked or leased the file")                          \
	V(NEAR_END, "near-end", "the read reached beyond the end of the file")                     \
	V(NOT_CACHED, "not-cached", "another thread writes, and the file is not in memory")        \
	V(NOT_FULL, "not-full", "the reads of the stream return less than they ask for")           \
	V(SOURCE_OPTIONS, "source-options", "an option of the socket read from rules splice out")  \
	V(WOULD_NOT_PAY, "would-not-pay", "an exact way without a copy costs more than it saves")  \
	V(NO_PIPE, "no-pipe", "no hidden pipe was free, or it took no more; see pipes")            \
	V(NOT_A_STREAM, "not-a-stream", "the socket keeps message boundaries, as UDP does")        \
	V(SINK_KIND, "sink-kind", "the sink is not TCP, MPTCP or a UNIX stream socket")            \
	V(SEND_FLAGS, "send-flags", "the call had flags that sendfile cannot honour")              \
	V(SEND_TIMEOUT, "send-timeout", "SO_SNDTIMEO, and a stream's bytes or no connection")      \
	V(SECOND_WRITER, "second-writer", "several threads write to the socket, or may do so")        \
	V(DESCRIPTORS, "descriptors", "no high descriptor number was free")                        \
	V(LIMIT, "limit", "a table of shunt was full; see landings")                               \
	V(HOST_LIMITS, "host-limits", "a limit of the process makes lazy memory unsafe")           \
	V(STOOD_ASIDE, "stood-aside", "the process set up seccomp, io_uring or the like")          \
	V(ENGINE_OFF, "engine-off", "the setting engines leaves this engine out")                  \
	V(KERNEL_REFUSED, "kernel-refused", "the kernel refused sendfile for this pair")

enum verdict {
#define V(id, word, text) VERDICT_##id,
	VERDICTS(V)
#undef V
	VERDICT_COUNT
};

/* The word of V, or "unknown" when V is out of range. Static; signal safe. */
const char *verdict_word(unsigned v);

/* The explanation of V, or "" when V is out of range. Static; signal safe. */
const char *verdict_text(unsigned v);

#endif
