// The dashboard strategy's script, as a module of Node's.

import { readFileSync } from "node:fs";

export const INTEGRATION = new URL("../../custom_components/bitrix24_sip/", import.meta.url);

const script = readFileSync(new URL("frontend/bitrix24-sip.js", INTEGRATION));
export const strategy = await import(`data:text/javascript;base64,${script.toString("base64")}`);
