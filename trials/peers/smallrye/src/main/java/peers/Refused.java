package peers;

/** A reply that is not plain success. */
class Refused extends RuntimeException {
    final String reply;

    Refused(String code, String reply) {
        super(code);
        this.reply = reply;
    }
}
