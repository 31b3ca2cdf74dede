/** `kinwatch setup`: what servers must hold before hosts report to them. Each of its commands has a file of its own. */
import { Command } from "commander";
import { kinwatch } from "./checkout.ts";
import { setupElasticsearchCommand } from "./setup-elasticsearch.ts";
import { setupKibanaCommand } from "./setup-kibana.ts";

export function setupCommand(): Command {
  return new Command("setup")
    .description("prepare a server for the fleet: once, from an administrator's machine")
    .addCommand(setupElasticsearchCommand())
    .addCommand(setupKibanaCommand())
    .addHelpText(
      "after",
      `
Examples:
  What would be changed?
    ${kinwatch} setup elasticsearch --dry-run \\
      --url https://es.example:9200 --admin-key-file admin.key
  The dashboard, and rules that know what is new to the fleet:
    ${kinwatch} setup kibana \\
      --url https://kibana.example:5601 --admin-user-file admin.user

docs/elasticsearch.md says what is installed, and what a host needs;
docs/kibana.md what is imported.`,
    );
}
