/* SPDX-License-Identifier: MIT */
/* same_throw.cc - C++ exceptions go through frames whose buffer is lazy. */
extern "C" {
#include "same.h"
}

#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct closer {
	same_rig *r;
	~closer()
	{
		same_say_memory("while unwinding", r->buf, r->size);
	}
};

__attribute__((noinline)) void deeper(same_rig *r, int depth)
{
	closer c{ r };

	if (depth == 0)
		throw std::runtime_error("deep");
	deeper(r, depth - 1);
}

void through_frames(same_rig *r)
{
	for (int i = 0; i < 5; i++) {
		try {
			deeper(r, 3);
		} catch (const std::runtime_error &e) {
			same_say(e.what(), i);
		}
		same_write(r);
		same_loop(r, 4);
		same_read(r);
	}
}

void between(same_rig *r)
{
	for (int i = 0; i < 20; i++) {
		try {
			if (i % 3 == 0)
				throw i;
			same_write(r);
		} catch (int n) {
			same_say("thrown", n);
			same_write(r);
		}
		same_read(r);
	}
}

/* The exception carries the chunk away: a copy, made by the program. */
void carried(same_rig *r)
{
	for (int i = 0; i < 5; i++) {
		try {
			throw std::string(r->buf, r->got);
		} catch (const std::string &s) {
			same_say_memory("carried", s.data(), s.size());
		}
		same_write(r);
		same_read(r);
	}
}

void vectors(same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 5; i++) {
		try {
			std::vector<char> chunk(100000 + (size_t)i);

			r->buf = chunk.data();
			r->size = chunk.size();
			same_loop(r, 6);
			same_read(r);
			throw std::runtime_error("out of the block");
		} catch (const std::runtime_error &e) {
			same_say(e.what(), i);
		}
	}
	r->got = 0;
}

const same_case cases[] = {
	{ "through_frames", through_frames, 0, 0 },
	{ "between", between, 0, 0 },
	{ "carried", carried, 0, 0 },
	{ "vectors", vectors, 0, 0 },
	{ nullptr, nullptr, 0, 0 },
};

}

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
