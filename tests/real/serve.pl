#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# serve.pl PORT ROOT: the usual hand-written server: sysread and syswrite, one client at a time.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $root) = @ARGV;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
	ReuseAddr => 1, Listen => 5) or die "listen: $!";
$SIG{PIPE} = 'IGNORE';

sub serve {
	my ($client, $file) = @_;
	my $buf;

	syswrite($client, "HTTP/1.0 200 OK\r\nContent-Length: " . (-s $file) . "\r\n\r\n");
	while (sysread($file, $buf, 65536)) {
		my $done = 0;
		while ($done < length $buf) {
			my $n = syswrite($client, $buf, length($buf) - $done, $done);
			return unless defined $n;
			$done += $n;
		}
	}
}

while (1) {
	my $client = $listener->accept or next;
	my $request = <$client>;
	while (defined(my $header = <$client>)) {
		last if $header =~ /^\r?\n/;
	}
	if (defined $request && $request =~ m{^GET /([\w.]+) } && open(my $file, '<', "$root/$1")) {
		binmode $file;
		serve($client, $file);
		close $file;
	}
	close $client;
}
