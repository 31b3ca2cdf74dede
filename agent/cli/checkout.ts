/** A checkout, which runs from its sources, or an installed kinwatch, which is one bundled JavaScript file. */
export const isCheckout = import.meta.url.endsWith(".ts");

/** How people type our name here, before a command: a checkout is not on their PATH. */
export const kinwatch = isCheckout ? "npm run -s kinwatch --" : "kinwatch";
