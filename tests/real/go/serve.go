// SPDX-License-Identifier: MIT

// serve.go - a file server of net/http, while the collector runs all the time.
//
//	serve PORT ROOT
//
// /send/NAME goes by what net/http does of itself (sendfile), /copy/NAME through a buffer of Go's,
// /c/NAME by a loop in C, where there is C. /nil goes through a pointer that is none, which the
// runtime hears of by SIGSEGV and net/http recovers from. All others are served like /copy.
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

var buffers = sync.Pool{New: func() any { return make([]byte, 65536) }}

// Without the methods by which io.Copy goes round the buffer.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

func copyThrough(w http.ResponseWriter, f *os.File) {
	b := buffers.Get().([]byte)
	io.CopyBuffer(onlyWriter{w}, onlyReader{f}, b)
	buffers.Put(b)
}

// The connection is taken from net/http, and served by read and write of libc.
func loopInC(w http.ResponseWriter, f *os.File, size int64) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Length: "+strconv.FormatInt(size, 10)+"\r\n\r\n")
	s, err := c.(*net.TCPConn).File() // a duplicate, and it blocks
	if err != nil {
		return
	}
	defer s.Close()
	copyInC(int(f.Fd()), int(s.Fd()))
}

var none *[1 << 20]int

func serve(root string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/nil" {
			w.Header().Set("X", strconv.Itoa(none[len(r.Host)]))
		}
		f, err := os.Open(filepath.Join(root, path.Base(r.URL.Path)))
		if err != nil {
			http.Error(w, "no", 404)
			return
		}
		defer f.Close()
		st, _ := f.Stat()
		if strings.HasPrefix(r.URL.Path, "/c/") {
			loopInC(w, f, st.Size())
			return
		}
		w.Header().Set("Content-Length", strconv.FormatInt(st.Size(), 10))
		w.Header().Set("Content-Type", "application/octet-stream")
		if strings.HasPrefix(r.URL.Path, "/send/") {
			io.Copy(w, f)
		} else {
			copyThrough(w, f)
		}
	}
}

var keep [64][]byte

// Garbage, and goroutines that have to be preempted by a signal, since they make no call.
func churn(n int) {
	for sum := 0; ; {
		for i := 0; i < 1<<16; i++ {
			sum += i
		}
		keep[n] = make([]byte, 32768+sum&1)
		runtime.Gosched()
	}
}

func main() {
	for i := 0; i < 2; i++ {
		go churn(i)
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], serve(os.Args[2])))
}
