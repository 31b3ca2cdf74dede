/* What the index of API keys is analysed with, and the small Elasticsearch for tests lacks: elasticsearch.ts puts it in as a plug-in. */
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.AbstractTokenizerFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;

public class AnalysisParts extends Plugin implements AnalysisPlugin {
  @Override
  public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
    return Map.of(
        "pattern_capture", (index, environment, name, settings) -> {
          List<String> patterns = settings.getAsList("patterns");
          Pattern[] compiled = patterns.stream().map(Pattern::compile).toArray(Pattern[]::new);
          boolean keeps = settings.getAsBoolean("preserve_original", true);
          return filter(name, stream -> new PatternCaptureGroupTokenFilter(stream, keeps, compiled));
        },
        "unique", (index, environment, name, settings) -> filter(name, RemoveDuplicatesTokenFilter::new));
  }

  @Override
  public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
    return Map.of("uax_url_email", (index, environment, name, settings) -> new AbstractTokenizerFactory(name) {
      @Override
      public Tokenizer create() {
        return new UAX29URLEmailTokenizer();
      }
    });
  }

  private static TokenFilterFactory filter(String name, java.util.function.UnaryOperator<TokenStream> create) {
    return new AbstractTokenFilterFactory(name) {
      @Override
      public TokenStream create(TokenStream stream) {
        return create.apply(stream);
      }
    };
  }
}
