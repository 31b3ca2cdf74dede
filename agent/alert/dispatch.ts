/**
 * Hands documents over to what waits for Elasticsearch, each when nothing more will be known of it: there it is written once and
 * never changed. Within the caller's transaction.
 */
import type { Installation } from "../packages/installation.ts";
import type { Shipments, Stream } from "../store/shipments.ts";
import type { AlertDocument, ExecutionDocument } from "./alert-document.ts";
import { ecsInstallation, installationEventId } from "./ecs-event.ts";
import type { DocumentContext } from "./ecs-execution.ts";
import type { HealthDocument } from "./ecs-health.ts";
import { withOutcomePart } from "./ecs-outcome.ts";

export type Told = <D extends ExecutionDocument>(document: D) => D;

export class Dispatch {
  readonly #shipments: Shipments;

  constructor(shipments: Shipments) {
    this.#shipments = shipments;
  }

  /** An alert whose outcome is known; such as were held back are told of by a summary. */
  alert(alert: AlertDocument): void {
    if (alert.kinwatch.held !== true) this.#add("alerts", alert);
  }

  health(document: HealthDocument): void {
    this.#add("health", document);
  }

  /** An installation as it begins: settled() tells what came of it. */
  installation(installation: Installation, context: DocumentContext): void {
    this.#add("events", ecsInstallation(installation, context), true);
  }

  /** @param told the document with what was found out meanwhile */
  settled(installation: Installation, told: Told): void {
    this.#complete(installationEventId(installation), installation.updates, told);
  }

  /** All that there is has been read. @param waiting those whose outcome may still come: of others it will not */
  caughtUp(waiting: readonly Installation[]): void {
    const ids = new Set(waiting.map(installationEventId));
    for (const id of this.#shipments.openIds()) if (!ids.has(id)) this.#complete(id, []);
  }

  #add(stream: Stream, document: ExecutionDocument | HealthDocument, isOpen = false): void {
    const { event, data_stream } = document;
    const { type, dataset, namespace } = data_stream;
    this.#shipments.add(
      stream,
      `${type}-${dataset}-${namespace}`,
      event.id,
      JSON.stringify(document),
      isOpen,
    );
  }

  #complete(id: string, updates: Installation["updates"], told: Told = (document) => document): void {
    const open = this.#shipments.open(id);
    if (open === undefined) return; // another kinwatch's log, or it was let go of
    // One that the disk has damaged is set aside when its turn comes.
    const document = open === "" ? undefined : told(JSON.parse(open) as ExecutionDocument);
    this.#shipments.complete(
      id,
      document === undefined ? "" : JSON.stringify(withOutcomePart(document, updates)),
    );
  }
}
