package strongroom;

import groovy.json.JsonOutput;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import nextflow.Session;
import nextflow.exception.AbortOperationException;
import nextflow.processor.TaskProcessor;
import nextflow.trace.TraceObserverFactoryV2;
import nextflow.trace.TraceObserverV2;
import nextflow.trace.event.FilePublishEvent;
import nextflow.trace.event.TaskEvent;
import nextflow.trace.event.WorkflowOutputEvent;

/** Tells what happens in a Nextflow run: events as JSON lines, what is published to the gateway. */
public class EventsFactory implements TraceObserverFactoryV2 {
    @Override
    public Collection<TraceObserverV2> create(Session session) {
        return List.of(new Events(session, StrongroomExecutor.door(), System.getenv("STRONGROOM_EVENTS_FD")));
    }

    /** One line an event: names of processes and numbers; commands, files and messages stay out. */
    static final class Events implements TraceObserverV2 {
        private final Session session;
        private final Gateway gateway;
        private FileOutputStream lines;

        Events(Session session, Gateway gateway, String descriptor) {
            this.session = session;
            this.gateway = gateway;
            try {
                lines = descriptor == null ? null : new FileOutputStream("/proc/self/fd/" + descriptor);
            } catch (IOException nobody) {
                lines = null;
            }
        }

        private synchronized void write(String event, Map<String, ?> facts) {
            if (lines == null) {
                return;
            }
            var line = new LinkedHashMap<String, Object>(Map.of("event", event));
            line.putAll(facts);
            try {
                lines.write((JsonOutput.toJson(line) + "\n").getBytes(StandardCharsets.UTF_8));
            } catch (IOException nobody) {
                lines = null; // nobody listens any more; the run goes on
            }
        }

        private void write(String event, TaskEvent task) {
            var run = task.getHandler().getTask();
            write(event, Map.of("job", run.getId().toString(), "rule", Job.process(run.getProcessor().getName())));
        }

        @Override
        public void onProcessCreate(TaskProcessor processor) {
            Admissible.note(processor);
        }

        @Override
        public void onFilePublish(FilePublishEvent event) {
            if (event.getSource() == null) {
                return; // an index that Nextflow wrote itself
            }
            try {
                gateway.publish(event.getSource().normalize().toString(), event.getTarget().normalize().toString());
            } catch (IOException refused) {
                end(refused.getMessage());
            }
        }

        /** Ends the run with a sentence; Nextflow itself would keep it for its own log. */
        private void end(String sentence) {
            System.err.println(sentence);
            session.abort(new AbortOperationException(sentence));
        }

        @Override
        public void onFlowBegin() {
            // Every process is there by now, and nothing has run.
            if (Admissible.sentences() != null) {
                end(Admissible.sentences());
            }
            write("workflow_started", Map.of());
        }

        @Override
        public void onTaskSubmit(TaskEvent event) {
            write("job_started", event);
        }

        @Override
        public void onTaskComplete(TaskEvent event) {
            write(event.getHandler().getTask().isSuccess() ? "job_finished" : "job_error", event);
        }

        @Override
        public void onTaskCached(TaskEvent event) {
            write("job_finished", event);
        }

        @Override
        public boolean enableMetrics() {
            return false;
        }

        // Groovy's default methods look abstract to javac.
        @Override
        public void onFlowCreate(Session started) {}

        @Override
        public void onFlowComplete() {}

        @Override
        public void onProcessTerminate(TaskProcessor processor) {}

        @Override
        public void onTaskPending(TaskEvent event) {}

        @Override
        public void onTaskStart(TaskEvent event) {}

        @Override
        public void onFlowError(TaskEvent event) {}

        @Override
        public void onWorkflowOutput(WorkflowOutputEvent event) {}
    }
}
