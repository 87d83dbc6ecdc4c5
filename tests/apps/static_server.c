/* The test app as a static binary: no libc that could be preloaded, no resolver, raw sockets only.
 *
 *   gcc -static -O2 -o static_server static_server.c
 *   PORT=5000 USERS_HOST=127.0.0.1 USERS_PORT=5001 ./static_server
 *
 * GET /health answers "ok"; GET /orders/ID asks the dependency for /users/ID and hands its body on; 502 when the
 * dependency cannot be reached. One thread a connection, one request a connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_LIMIT = 8192, BODY_LIMIT = 65536 };

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    if (inet_pton(AF_INET, host, &result.sin_addr) != 1) {
        fprintf(stderr, "static_server: %s is no IPv4 address\n", host);
        exit(2);
    }
    return result;
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        size -= (size_t)sent;
    }
}

static void reply(int fd, const char *status, const char *type, const char *body, size_t size)
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                          status, type, size);
    send_all(fd, head, (size_t)length);
    send_all(fd, body, size);
}

/* Reads until the head is complete or the peer ends; returns the bytes read, a NUL after them. */
static size_t read_head(int fd, char *buffer, size_t room)
{
    size_t filled = 0;
    while (filled + 1 < room) {
        ssize_t got = recv(fd, buffer + filled, room - 1 - filled, 0);
        if (got <= 0)
            break;
        filled += (size_t)got;
        buffer[filled] = 0;
        if (strstr(buffer, "\r\n\r\n"))
            break;
    }
    buffer[filled] = 0;
    return filled;
}

static void order(int client, const char *id)
{
    char answer[BODY_LIMIT], request[512];
    struct sockaddr_in users = address(setting("USERS_HOST", "127.0.0.1"), setting("USERS_PORT", "5001"));
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&users, sizeof users) != 0) {
        const char *why = strerror(errno);
        close(server);
        reply(client, "502 Bad Gateway", "text/plain", why, strlen(why));
        return;
    }
    int length = snprintf(request, sizeof request,
                          "GET /users/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", id,
                          setting("USERS_HOST", "127.0.0.1"));
    send_all(server, request, (size_t)length);
    size_t filled = 0;
    for (ssize_t got; (got = recv(server, answer + filled, sizeof answer - 1 - filled, 0)) > 0;)
        filled += (size_t)got;
    answer[filled] = 0;
    close(server);
    char *body = strstr(answer, "\r\n\r\n");
    if (body)
        reply(client, "200 OK", "application/json", body + 4, filled - (size_t)(body + 4 - answer));
    else
        reply(client, "502 Bad Gateway", "text/plain", "no answer", 9);
}

static void *serve(void *argument)
{
    int client = (int)(long)argument;
    char head[HEAD_LIMIT], id[128];
    if (read_head(client, head, sizeof head) > 0) {
        if (strncmp(head, "GET /health ", 12) == 0)
            reply(client, "200 OK", "text/plain", "ok\n", 3);
        else if (sscanf(head, "GET /orders/%127[^ /?] ", id) == 1)
            order(client, id);
        else
            reply(client, "404 Not Found", "text/plain", "no such page\n", 13);
    }
    close(client);
    return NULL;
}

int main(void)
{
    struct sockaddr_in here = address(setting("HOST", "127.0.0.1"), setting("PORT", "5000"));
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, 128) != 0) {
        perror("static_server");
        return 1;
    }
    for (;;) {
        int client = accept(listener, NULL, NULL);
        pthread_t thread;
        if (client < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(long)client) == 0)
            pthread_detach(thread);
        else
            close(client);
    }
}
