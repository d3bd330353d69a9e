package strongroom;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GatewayTest {
    @TempDir
    Path folder;

    @Test
    void aJobIsSentWholeAndItsIdComesBack() throws Exception {
        var socket = folder.resolve("s");
        var heard = answerOnce(socket, "HTTP/1.1 200 OK\r\nx: y\r\n\r\n{\"id\": \"seven\"}");
        assertEquals("seven", new Gateway(socket).create(Map.of("name", "ÄLIGN")));
        assertTrue(heard.get().startsWith("POST /ga4gh/tes/v1/tasks HTTP/1.1\r\n"));
        assertTrue(heard.get().endsWith("{\"name\":\"\\u00c4LIGN\"}"));
    }

    @Test
    void aRefusalIsTheGatewaysOwnSentence() throws Exception {
        var socket = folder.resolve("s");
        answerOnce(socket, "HTTP/1.1 403 Forbidden\r\n\r\n{\"msg\": \"Not this image.\"}");
        var refused = assertThrows(Gateway.Refused.class, () -> new Gateway(socket).cancel("x"));
        assertEquals("Not this image.", refused.getMessage());
    }

    @Test
    void aGatewayThatIsGoneIsSaidPlainly() {
        var error = assertThrows(IOException.class, () -> new Gateway(folder.resolve("none")).changes(0, 1));
        assertEquals("The run's gateway does not answer; the run is over.", error.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "HTTP/1.1 200", "nonsense\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\n[]", "HTTP/1.1 200 OK\r\n\r\n{"})
    void whatIsNoAnswerIsAnError(String response) {
        assertThrows(IOException.class, () -> Gateway.answerIn(response));
    }

    private static CompletableFuture<String> answerOnce(Path socket, String response) throws IOException {
        var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        return CompletableFuture.supplyAsync(() -> {
            try (server; var channel = server.accept()) {
                var buffer = ByteBuffer.allocate(1 << 16);
                while (!StandardCharsets.UTF_8.decode(buffer.duplicate().flip()).toString().endsWith("}")) {
                    channel.read(buffer);
                }
                channel.write(ByteBuffer.wrap(response.getBytes(StandardCharsets.UTF_8)));
                return StandardCharsets.UTF_8.decode(buffer.flip()).toString();
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        });
    }
}
