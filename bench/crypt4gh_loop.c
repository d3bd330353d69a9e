/* What a C program on OpenSSL needs for the same work: decrypt a Crypt4GH body, or seal one.
   crypt4gh_loop decrypt BODY KEYHEX | seal PLAIN BODY digests|plain   prints CPU seconds. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SEGMENT = 65536, OVERHEAD = 28, CIPHER = SEGMENT + OVERHEAD, BATCH = 4 };
static unsigned char plain[BATCH * SEGMENT], body[BATCH * CIPHER], nonces[BATCH * 12];

static void need(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void unseal(const char *path, const char *hex) {
    unsigned char key[32];
    for (int n = 0; n < 32; n++) sscanf(hex + 2 * n, "%2hhx", key + n);
    int fd = open(path, O_RDONLY), out;
    need(fd >= 0, "open");
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    need(EVP_DecryptInit_ex(context, EVP_chacha20_poly1305(), NULL, key, NULL), "init");
    off_t place = 0;
    ssize_t got;
    while ((got = pread(fd, body, sizeof body, place)) > 0) {
        for (ssize_t at = 0; at < got; at += CIPHER) {
            ssize_t length = got - at < CIPHER ? got - at : CIPHER;
            need(EVP_DecryptInit_ex(context, NULL, NULL, NULL, body + at), "nonce");
            need(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, body + at + length - 16), "tag");
            need(EVP_DecryptUpdate(context, plain + at / CIPHER * SEGMENT, &out, body + at + 12, length - 28), "data");
            need(EVP_DecryptFinal_ex(context, plain, &out) > 0, "proof");
        }
        place += got;
    }
}

static void seal(const char *from, const char *to, int digests) {
    unsigned char key[32];
    int in = open(from, O_RDONLY), file = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600), out;
    need(in >= 0 && file >= 0 && RAND_bytes(key, sizeof key), "open");
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_MD_CTX *seen[2] = {EVP_MD_CTX_new(), EVP_MD_CTX_new()};
    for (int n = 0; n < 2; n++) EVP_DigestInit_ex(seen[n], EVP_sha256(), NULL);
    need(EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), NULL, key, NULL), "init");
    ssize_t got;
    while ((got = read(in, plain, sizeof plain)) > 0) {
        size_t filled = 0;
        need(RAND_bytes(nonces, sizeof nonces), "nonces");
        for (ssize_t at = 0; at < got; at += SEGMENT) {
            ssize_t length = got - at < SEGMENT ? got - at : SEGMENT;
            memcpy(body + filled, nonces + at / SEGMENT * 12, 12);
            need(EVP_EncryptInit_ex(context, NULL, NULL, NULL, body + filled), "nonce");
            need(EVP_EncryptUpdate(context, body + filled + 12, &out, plain + at, length), "data");
            need(EVP_EncryptFinal_ex(context, body, &out), "end");
            need(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, body + filled + 12 + length), "tag");
            filled += length + OVERHEAD;
        }
        if (digests) {
            EVP_DigestUpdate(seen[0], plain, got);
            EVP_DigestUpdate(seen[1], body, filled);
        }
        need(write(file, body, filled) == (ssize_t)filled, "write");
    }
}

int main(int count, char **words) {
    if (count == 4 && !strcmp(words[1], "decrypt")) unseal(words[2], words[3]);
    else if (count == 5 && !strcmp(words[1], "seal")) seal(words[2], words[3], !strcmp(words[4], "digests"));
    else return 2;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%f\n", used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
