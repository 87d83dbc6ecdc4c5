import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;

/** Java's HttpClient, as app.py has the clients of Python: java HttpsApp PORT SERVICE=URL … */
public class HttpsApp {
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(30)).build();

    public static void main(String[] arguments) throws IOException {
        Map<String, String> urls = new HashMap<>();
        for (int place = 1; place < arguments.length; place++) {
            String[] service = arguments[place].split("=", 2);
            urls.put(service[0], service[1]);
        }
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> {
            String[] parts = exchange.getRequestURI().getPath().split("/", 3);
            answer(exchange, outcome(urls.get(parts[1]) + "/" + parts[2], parts[2].startsWith("upload")));
        });
        server.start();
    }

    private static String outcome(String url, boolean upload) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(30));
        if (upload) {
            byte[] body = new byte[256 * 1200];
            for (int place = 0; place < body.length; place++) {
                body[place] = (byte) place;
            }
            request.POST(HttpRequest.BodyPublishers.ofByteArray(body));
        }
        try {
            HttpResponse<byte[]> got = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(got.body());
            return String.format("{\"status\": %d, \"length\": %d, \"sha256\": \"%s\"}",
                    got.statusCode(), got.body().length, HexFormat.of().formatHex(digest));
        } catch (Exception error) {
            Set<String> names = new LinkedHashSet<>();
            for (Throwable one = error; one != null; one = one.getCause()) {
                names.add('"' + one.getClass().getName() + '"');
            }
            return "{\"error\": [" + String.join(", ", names) + "], \"codes\": []}";
        }
    }

    private static void answer(HttpExchange exchange, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
