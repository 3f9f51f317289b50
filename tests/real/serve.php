<?php
# SPDX-License-Identifier: MIT
# serve.php PORT ROOT: a daemon of PHP's streams: one client at a time. A stream with a time limit, as
# all have by default, sends with MSG_DONTWAIT to a socket that blocks.
[, $port, $root] = $argv;
$listener = stream_socket_server("tcp://127.0.0.1:$port");

while ($client = stream_socket_accept($listener, -1)) {
	$request = fgets($client);
	while (($header = fgets($client)) !== false && rtrim($header) !== '')
		continue;
	if (!preg_match('{^GET /([\w.]+) }', $request, $match) || !($file = fopen("$root/$match[1]", 'rb')))
		continue;
	stream_set_read_buffer($file, 0);
	fwrite($client, "HTTP/1.0 200 OK\r\nContent-Length: " . filesize("$root/$match[1]") . "\r\n\r\n");
	while (($chunk = fread($file, 65536)) !== '' && $chunk !== false)
		if (fwrite($client, $chunk) !== strlen($chunk))
			break;
	fclose($file);
	fclose($client);
}
