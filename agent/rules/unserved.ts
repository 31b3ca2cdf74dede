/** What Kibana makes of keys of [rule], and kinwatch does not. docs/rules.md says so too. */

const ofOtherTypes = "It belongs to rules of another type: leave it out";
const ofKibana = "Kibana's interface names it so: in a file it is [rule.new_terms], see docs/rules.md";

/** Refused, with the reason and what to do: ignored, they would make the rule another one. */
export const unservedKeys: ReadonlyMap<string, string> = new Map([
  ["filters", "It narrows the query from outside: write its conditions into the query"],
  [
    "exceptions_list",
    "Its lists are kept in Kibana: see docs/exceptions.md, or write them into the query, as in: and not (…)",
  ],
  ["new_terms_fields", ofKibana],
  ["history_window_start", ofKibana],
  ["anomaly_threshold", ofOtherTypes],
  ["concurrent_searches", ofOtherTypes],
  ["event_category_override", ofOtherTypes],
  ["items_per_search", ofOtherTypes],
  ["machine_learning_job_id", ofOtherTypes],
  ["saved_id", ofOtherTypes],
  ["threat_filters", ofOtherTypes],
  ["threat_index", ofOtherTypes],
  ["threat_indicator_path", ofOtherTypes],
  ["threat_language", ofOtherTypes],
  ["threat_mapping", ofOtherTypes],
  ["threat_query", ofOtherTypes],
  ["threshold", ofOtherTypes],
  ["tiebreaker_field", ofOtherTypes],
  ["timestamp_field", ofOtherTypes],
]);

/** Taken, with a warning of what happens instead: alerts come more often or look otherwise, and none is held back. */
export const notDone: ReadonlyMap<string, string> = new Map([
  ["alert_suppression", "each new term raises its alert"],
  ["severity_mapping", "rule.severity holds"],
  ["risk_score_mapping", "rule.risk_score holds"],
  ["rule_name_override", "rule.name holds"],
  ["building_block_type", "its alerts are alerts like others"],
  ["actions", "kinwatch's own outputs tell of alerts"],
  ["response_actions", "kinwatch does nothing on its own"],
]);
