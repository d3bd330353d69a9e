package strongroom.outline;

import groovy.json.JsonOutput;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Writes the outline of the Nextflow workflow below FOLDER, beginning at ENTRY, as JSON; nothing of it is run. */
public final class Outline {
    private static final long STACK = 64L << 20;

    private Outline() {}

    public static void main(String[] words) throws InterruptedException {
        PrintStream out = System.out;
        System.setOut(System.err);
        int[] code = {3};
        // A thread of its own, as its stack can be given: parsers recurse as deep as what they read.
        var reading = new Thread(null, () -> {
            var bytes = of(Path.of(words[0]), words[1]).getBytes(StandardCharsets.US_ASCII);
            out.write(bytes, 0, bytes.length);
            out.flush();
            code[0] = 0;
        }, "outline", STACK);
        reading.start();
        reading.join();
        System.exit(code[0]);
    }

    /** Returns the outline as JSON in ASCII. */
    public static String of(Path folder, String entry) {
        return JsonOutput.toJson(whole(new Files(folder).follow(entry)));
    }

    /** Returns what was found with halves of letters, which no JSON may hold, as question marks. */
    private static Object whole(Object found) {
        if (found instanceof String text) {
            return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        }
        if (found instanceof List<?> list) {
            return list.stream().map(Outline::whole).collect(Collectors.toList());
        }
        if (found instanceof Map<?, ?> map) {
            var copy = new LinkedHashMap<Object, Object>();
            map.forEach((key, value) -> copy.put(whole(key), whole(value)));
            return copy;
        }
        return found;
    }
}
