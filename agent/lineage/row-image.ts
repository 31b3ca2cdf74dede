/** The image in a row of image-rows.ts as an object, for who asks: its links are followed when they are read. */
import type { ExecEvent } from "../events/exec-event.ts";
import type { ProcessImage, Provenance, UnresolvedReason } from "./process-image.ts";

/** No row. */
export const NONE = -1;

/** Links to other rows. */
export const PARENT = 0;
export const ADOPTER = 1;
export const PREVIOUS = 2;

export interface Rows {
  linkOf(row: number, link: number): number;
  imageOf(row: number): ProcessImage;
  reasonOf(row: number): UnresolvedReason | undefined;
}

export class RowImage implements ProcessImage {
  readonly exec: ExecEvent;
  readonly provenance: Provenance;
  /** NONE: it was let go of, and nobody links to it. */
  row: number;
  readonly #rows: Rows;
  #unresolved: UnresolvedReason | undefined; // as it was when its row went to another

  constructor(rows: Rows, row: number, exec: ExecEvent, provenance: Provenance) {
    this.#rows = rows;
    this.row = row;
    this.exec = exec;
    this.provenance = provenance;
  }

  get parent(): ProcessImage | undefined {
    return this.#linked(PARENT);
  }

  get adopter(): ProcessImage | undefined {
    return this.#linked(ADOPTER);
  }

  get previous(): ProcessImage | undefined {
    return this.#linked(PREVIOUS);
  }

  get unresolved(): UnresolvedReason | undefined {
    return this.row === NONE ? this.#unresolved : this.#rows.reasonOf(this.row);
  }

  letGo(): void {
    this.#unresolved = this.unresolved;
    this.row = NONE;
  }

  #linked(link: number): ProcessImage | undefined {
    const to = this.row === NONE ? NONE : this.#rows.linkOf(this.row, link);
    return to === NONE ? undefined : this.#rows.imageOf(to);
  }
}
