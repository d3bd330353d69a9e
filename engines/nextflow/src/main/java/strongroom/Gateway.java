package strongroom;

import groovy.json.JsonOutput;
import groovy.json.JsonSlurper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** Speaks HTTP over the Unix socket of the run's gateway, which java.net.http cannot. */
final class Gateway {
    /** The gateway's answer was no; the message is its sentence. */
    static final class Refused extends IOException {
        Refused(String sentence) {
            super(sentence);
        }
    }

    static final String TASKS = "/ga4gh/tes/v1/tasks";
    static final String CHANGES = "/ga4gh/tes/v1/changes";
    static final String PUBLISHED = "/ga4gh/tes/v1/published";
    private static final String SILENT = "The run's gateway does not answer; the run is over.";
    private final UnixDomainSocketAddress address;

    Gateway(Path socket) {
        address = UnixDomainSocketAddress.of(socket);
    }

    /** Returns the id of the task that the gateway made of `job`. */
    String create(Map<String, ?> job) throws IOException {
        return (String) call("POST", TASKS, job).get("id");
    }

    void cancel(String task) throws IOException {
        call("POST", TASKS + "/" + task + ":cancel", Map.of());
    }

    /** Says that the workflow publishes a file of the run under another path. */
    void publish(String source, String target) throws IOException {
        call("POST", PUBLISHED, Map.of("source", source, "target", target));
    }

    /** Returns `seq` and the `tasks` that changed after `since`, waiting up to `seconds` for the first. */
    Map<String, Object> changes(long since, int seconds) throws IOException {
        return call("GET", CHANGES + "?since=" + since + "&wait=" + seconds, null);
    }

    private Map<String, Object> call(String method, String path, Object body) throws IOException {
        byte[] payload = body == null ? new byte[0] : JsonOutput.toJson(body).getBytes(StandardCharsets.UTF_8);
        String head = method + " " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nContent-Length: " + payload.length + "\r\n\r\n";
        return answerIn(exchange(head.getBytes(StandardCharsets.US_ASCII), payload));
    }

    private String exchange(byte[] head, byte[] payload) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(address);
            ByteBuffer[] sent = {ByteBuffer.wrap(head), ByteBuffer.wrap(payload)};
            while (sent[0].hasRemaining() || sent[1].hasRemaining()) {
                channel.write(sent);
            }
            var received = new ByteArrayOutputStream();
            var buffer = ByteBuffer.allocate(1 << 16);
            while (channel.read(buffer) >= 0) {
                received.write(buffer.array(), 0, buffer.position());
                buffer.clear();
            }
            return received.toString(StandardCharsets.UTF_8);
        } catch (Refused refused) {
            throw refused;
        } catch (IOException error) {
            throw new IOException(SILENT, error);
        }
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> answerIn(String response) throws IOException {
        int end = response.indexOf("\r\n\r\n");
        if (end < 0 || !response.matches("(?s)HTTP/1\\.[01] [0-9]{3}\\b.*")) {
            throw new IOException(SILENT);
        }
        int status = Integer.parseInt(response.substring(9, 12));
        Object answer;
        try {
            answer = new JsonSlurper().parseText(response.substring(end + 4));
        } catch (RuntimeException error) {
            throw new IOException(SILENT, error);
        }
        if (!(answer instanceof Map<?, ?> facts)) {
            throw new IOException(SILENT);
        }
        if (status >= 400) {
            Object sentence = facts.get("msg");
            throw new Refused(sentence == null ? "The gateway refused with status " + status + "." : sentence.toString());
        }
        return (Map<String, Object>) facts;
    }
}
