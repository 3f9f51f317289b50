/* SPDX-License-Identifier: MIT */
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * java Serve PORT ROOT direct|heap|mapped: HTTP/1.0 from a file channel through one buffer, or from a
 * mapping of the file.
 */
public class Serve {
	private static String requested(SocketChannel client) throws IOException {
		ByteBuffer line = ByteBuffer.allocate(4096);

		if (client.read(line) <= 0)
			throw new IOException("no request");
		String text = new String(line.array(), 0, line.position(), StandardCharsets.US_ASCII);
		return text.split(" ")[1].substring(1);
	}

	private static void writeWhole(SocketChannel client, ByteBuffer buffer) throws IOException {
		while (buffer.hasRemaining())
			client.write(buffer);
	}

	private static void copy(FileChannel file, SocketChannel client, boolean direct)
			throws IOException {
		ByteBuffer buffer = direct ? ByteBuffer.allocateDirect(65536) : ByteBuffer.allocate(65536);

		while (file.read(buffer) > 0) {
			buffer.flip();
			writeWhole(client, buffer);
			buffer.clear();
		}
	}

	private static void serve(SocketChannel client, Path root, String how) throws IOException {
		try (FileChannel file = FileChannel.open(root.resolve(requested(client)))) {
			String header = "HTTP/1.0 200 OK\r\nContent-Length: " + file.size() + "\r\n\r\n";

			writeWhole(client, ByteBuffer.wrap(header.getBytes(StandardCharsets.US_ASCII)));
			if (how.equals("mapped"))
				writeWhole(client, file.map(FileChannel.MapMode.READ_ONLY, 0, file.size()));
			else
				copy(file, client, how.equals("direct"));
		}
	}

	private static void connection(SocketChannel client, Path root, String how) {
		try (SocketChannel c = client) {
			serve(c, root, how);
		} catch (IOException | RuntimeException e) {
			/* the peer went away: the next one is served all the same */
		}
	}

	public static void main(String[] argv) throws IOException {
		ServerSocketChannel listener = ServerSocketChannel.open();
		Path root = Path.of(argv[1]);

		listener.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(argv[0])));
		for (;;) {
			SocketChannel client = listener.accept();

			new Thread(() -> connection(client, root, argv[2])).start();
		}
	}
}
