package strongroom;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WatchTest {
    private final AtomicReference<Throwable> lost = new AtomicReference<>();
    private final Watch watch = new Watch(new Gateway(Path.of("/nowhere")), () -> {}, lost::set);

    private static Map<String, Object> change(String state, Integer code) {
        var change = new HashMap<String, Object>(Map.of("id", "one", "state", state));
        change.put("exit_code", code);
        return Map.of("seq", 7, "tasks", List.of(change));
    }

    @ParameterizedTest
    @CsvSource({"COMPLETE,0,0", "COMPLETE,,0", "EXECUTOR_ERROR,137,137", "EXECUTOR_ERROR,0,1", "SYSTEM_ERROR,,1", "CANCELED,143,143"})
    void anEndHasAnExitCodeThatFitsIt(String state, Integer code, int told) {
        assertEquals(7, watch.note(change(state, code)));
        assertEquals(told, watch.endOf("one").exitCode());
    }

    @Test
    void aTaskThatGoesOnHasNoEnd() {
        watch.note(change("RUNNING", null));
        assertNull(watch.endOf("one"));
    }

    @Test
    void aGatewayThatIsGoneEndsTheRun() {
        watch.run();
        assertNotNull(lost.get());
    }
}
