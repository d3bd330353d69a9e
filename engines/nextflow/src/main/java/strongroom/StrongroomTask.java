package strongroom;

import java.io.IOException;
import nextflow.processor.TaskHandler;
import nextflow.processor.TaskRun;
import nextflow.processor.TaskStatus;

/** One task from its submission to its end, as Nextflow asks for it. */
class StrongroomTask extends TaskHandler {
    private final StrongroomExecutor executor;
    private String id;

    StrongroomTask(TaskRun task, StrongroomExecutor executor) {
        super(task);
        this.executor = executor;
    }

    @Override
    public void submit() {
        try {
            if (Admissible.sentences() != null) {
                throw Refusal.of(Admissible.sentences());
            }
            id = executor.gateway.create(Job.of(getTask()));
        } catch (IOException refused) {
            throw Refusal.of(refused.getMessage());
        }
        setStatus(TaskStatus.SUBMITTED);
    }

    @Override
    public boolean checkIfRunning() {
        if (isSubmitted()) {
            setStatus(TaskStatus.RUNNING);
            return true;
        }
        return false;
    }

    @Override
    public boolean checkIfCompleted() {
        var end = isRunning() ? executor.watch.endOf(id) : null;
        if (end == null) {
            return false;
        }
        getTask().setExitStatus(end.exitCode());
        // What a task prints is sealed and never comes here.
        getTask().setStdout("");
        getTask().setStderr("");
        setStatus(TaskStatus.COMPLETED);
        return true;
    }

    @Override
    protected void killTask() {
        if (id == null) {
            return;
        }
        try {
            executor.gateway.cancel(id);
        } catch (IOException gone) {
            return; // a gateway that is gone has canceled it already
        }
    }
}
