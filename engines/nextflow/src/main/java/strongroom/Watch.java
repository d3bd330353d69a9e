package strongroom;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/** Waits for the end of all tasks of a run in one long-poll. */
final class Watch implements Runnable {
    /** How a task ended; the exit code is one of the few that an engine may know. */
    record End(String state, int exitCode) {}

    // TES 1.1: the states that a task does not leave.
    private static final Set<String> FINAL =
            Set.of("COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED");
    private static final int WAIT_SECONDS = 30;
    private final Map<String, End> ends = new ConcurrentHashMap<>();
    private final Gateway gateway;
    private final Runnable changed;
    private final Consumer<Throwable> lost;

    Watch(Gateway gateway, Runnable changed, Consumer<Throwable> lost) {
        this.gateway = gateway;
        this.changed = changed;
        this.lost = lost;
    }

    /** Returns how a task ended, null while it has not. */
    End endOf(String task) {
        return ends.get(task);
    }

    void start() {
        var thread = new Thread(this, "gateway-watch");
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void run() {
        long since = 0;
        try {
            while (true) {
                since = note(gateway.changes(since, WAIT_SECONDS));
                changed.run();
            }
        } catch (IOException | RuntimeException error) {
            // Whatever went wrong, a run that nobody watches would wait for ever.
            lost.accept(error);
        }
    }

    long note(Map<String, Object> answer) {
        for (Object one : (List<?>) answer.get("tasks")) {
            var task = (Map<?, ?>) one;
            String state = String.valueOf(task.get("state"));
            if (FINAL.contains(state)) {
                int code = task.get("exit_code") instanceof Number number ? number.intValue() : 1;
                ends.put(String.valueOf(task.get("id")), new End(state, state.equals("COMPLETE") ? 0 : Math.max(code, 1)));
            }
        }
        return ((Number) answer.get("seq")).longValue();
    }
}
