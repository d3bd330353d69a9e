package strongroom;

import java.nio.file.Path;
import nextflow.cli.Launcher;
import strongroom.outline.Outline;

/** Reads the workflow in FOLDER and runs it as Nextflow does by itself, so that Java keeps what classes that takes. */
public final class Rehearsal {
    private Rehearsal() {}

    public static void main(String[] words) throws Exception {
        var folder = Path.of(words[0]);
        Outline.of(folder, "main.nf");
        Class.forName("strongroom.StrongroomExecutor");
        Launcher.main(new String[] {
            "-log", "nextflow.log", "-C", "nextflow.config", "run", folder.resolve("main.nf").toString(), "-ansi-log", "false"
        });
    }
}
