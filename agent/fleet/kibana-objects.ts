/** All that `POST /api/saved_objects/_import` is given, what is referred to before what refers to it. */
import { dashboardObject } from "./dashboard.ts";
import { dataViews, tag } from "./data-views.ts";
import { fleetDashboard } from "./fleet-dashboard.ts";
import type { SavedObject } from "./saved-object.ts";
import { savedSearches } from "./saved-searches.ts";

export function kibanaObjects(): SavedObject[] {
  return [tag(), ...dataViews(), ...savedSearches(), dashboardObject(fleetDashboard)];
}
