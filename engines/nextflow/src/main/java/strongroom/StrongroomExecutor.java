package strongroom;

import java.nio.file.Path;
import nextflow.executor.Executor;
import nextflow.processor.TaskHandler;
import nextflow.processor.TaskMonitor;
import nextflow.processor.TaskPollingMonitor;
import nextflow.processor.TaskRun;
import nextflow.util.Duration;
import nextflow.util.ServiceName;

/** Runs every task of a Nextflow workflow as one task of the run's gateway. */
@ServiceName(StrongroomExecutor.NAME)
public class StrongroomExecutor extends Executor {
    static final String NAME = "strongroom";
    private static final int OPEN_TASKS = 100; // executor.queueSize of the trusted configuration is the limit
    Gateway gateway;
    Watch watch;

    static Gateway door() {
        return new Gateway(Path.of(System.getenv("STRONGROOM_SOCKET")));
    }

    @Override
    protected void register() {
        gateway = door();
        watch = new Watch(gateway, () -> getTaskMonitor().signal(), error -> {
            System.err.println(error.getMessage());
            getSession().abort(error);
        });
        watch.start();
    }

    @Override
    public boolean isContainerNative() {
        return true; // the walls are the gateway's; no command may start a container of its own
    }

    @Override
    public String containerConfigEngine() {
        return "docker"; // whose way of writing an image's name leaves it as it is
    }

    @Override
    public boolean isSecretNative() {
        return true;
    }

    @Override
    protected TaskMonitor createTaskMonitor() {
        // The monitor looks at ends that the watch has heard of, in memory; nobody is asked for a task's state.
        return TaskPollingMonitor.create(getSession(), NAME, OPEN_TASKS, Duration.of("200ms"));
    }

    @Override
    public TaskHandler createTaskHandler(TaskRun task) {
        return new StrongroomTask(task, this);
    }
}
