package strongroom;

import nextflow.cli.Launcher;
import nextflow.executor.ExecutorFactory;

/** Starts Nextflow with every executor's name meaning ours: a directive or a selector of a workflow can name no other. */
public final class Main {
    private Main() {}

    public static void main(String[] words) throws Exception {
        var known = ExecutorFactory.getBUILT_IN_EXECUTORS();
        known.replaceAll((name, its) -> StrongroomExecutor.class);
        known.put(StrongroomExecutor.NAME, StrongroomExecutor.class);
        Launcher.main(words);
    }
}
