/* SPDX-License-Identifier: MIT */
/*
 * throwing.cc - C++: a short chunk, and every seventh, is an exception that is
 * thrown between the read and the write, through the frames of the copying.
 */
#include "app.h"

#include <memory>
#include <stdexcept>
#include <unistd.h>

namespace {

struct odd_chunk : std::runtime_error {
	size_t length;
	explicit odd_chunk(size_t n) : std::runtime_error("odd chunk"), length(n) {}
};

class file {
public:
	explicit file(int sock) : fd(app_request(sock))
	{
		if (fd < 0)
			throw std::runtime_error("no such file");
	}
	file(const file &) = delete;
	file &operator=(const file &) = delete;
	~file()
	{
		app_note("close", close(fd), -1);
	}
	size_t read(char *buf)
	{
		ssize_t n = app_note("read", ::read(fd, buf, app.size), fd);

		if (n > 0 && ((size_t)n < app.size || ++chunks % 7 == 0))
			throw odd_chunk((size_t)n);
		return n > 0 ? (size_t)n : 0;
	}
	int number() const
	{
		return fd;
	}

private:
	int fd;
	int chunks = 0;
};

void send(int sock, const char *buf, size_t n, int fd)
{
	if (app_writen(sock, buf, n, fd) != 0)
		throw std::runtime_error("client has gone");
}

bool one_chunk(int sock, file &from, char *buf)
{
	try {
		size_t n = from.read(buf);

		send(sock, buf, n, from.number());
		return n > 0;
	} catch (const odd_chunk &e) {
		send(sock, buf, e.length, from.number());
		return true;
	}
}

void serve(int sock)
{
	static char *buf;

	if (buf == nullptr)
		buf = app_buffer(app.size);
	try {
		file from(sock);

		while (one_chunk(sock, from, buf))
			;
	} catch (const std::exception &) {
		app_note("caught", 0, -1);
	}
}

}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
