import java.lang.management.ManagementFactory;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableMetadataParser;
import org.apache.iceberg.aws.s3.S3FileIO;

/**
 * Iceberg's own purge in a long-lived JVM. Each line of standard input is one run: endpoint, batch size and metadata
 * file, separated by blanks; each answer is a line with seconds of wall time and of CPU time.
 */
public final class DropTableData {
  public static void main(String[] arguments) throws Exception {
    var process = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.out.println("ready");
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      try (var io = new S3FileIO()) {
        io.initialize(
            Map.of(
                "s3.endpoint", words[0],
                "s3.path-style-access", "true",
                "s3.access-key-id", "test",
                "s3.secret-access-key", "test",
                "client.region", "us-east-1",
                "s3.delete.batch-size", words[1]));
        TableMetadata metadata = TableMetadataParser.read(io.newInputFile(words[2]));
        long cpu = process.getProcessCpuTime();
        long wall = System.nanoTime();
        CatalogUtil.dropTableData(io, metadata);
        System.out.printf(
            "%.6f %.6f%n", (System.nanoTime() - wall) / 1e9, (process.getProcessCpuTime() - cpu) / 1e9);
      }
    }
  }
}
