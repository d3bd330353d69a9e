package strongroom;

import nextflow.exception.ProcessUnrecoverableException;

/** Ends a run with a sentence: to ask once more would be answered the same, whatever errorStrategy says. */
final class Refusal {
    private Refusal() {}

    static RuntimeException of(String sentence) {
        return unchecked(new ProcessUnrecoverableException(sentence));
    }

    // Groovy knows no checked exceptions, so Nextflow's methods declare none.
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> RuntimeException unchecked(Throwable error) throws E {
        throw (E) error;
    }
}
