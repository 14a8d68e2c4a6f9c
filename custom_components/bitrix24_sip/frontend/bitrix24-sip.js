/**
 * The dashboard strategy of Bitrix24 SIP: a dashboard, a view and a section that build themselves.
 *
 * The first half is pure: it turns Home Assistant's registries into the configuration of core cards. It runs
 * again when a registry or the language changes. What follows a state does so without it: each line has a row
 * for each state that it can be in, and the frontend shows the one whose condition is met. So a line that is
 * lost moves to the top, and nothing else on the page is built anew.
 */

const DOMAIN = "bitrix24_sip";
const TYPE = "bitrix24-sip";
const HISTORY_HOURS = 24;
const MANY_LINES = 10; // from here on, the lines get two columns
const NAMES_IN_SENTENCE = 6;

// The rows of a line, those of lines that are down first. While a line is down, its problem is shown, too;
// while it is not settled, the status says what the portal is doing.
const STATES = [
  { state: "off", look: "framed toned red", also: "problem", color: "red" },
  { state: "unknown", look: "framed toned amber", shows: "status", color: "amber" },
  { state: "unavailable", look: "framed" },
  { state: "on", look: "framed" },
];

const asList = (value) => [value ?? []].flat();
const overlap = (some, others) => some.some((value) => others.includes(value));
const isNamed = ({ id, name, entities }, list) => overlap([id, name, ...Object.values(entities)], list);

/** Return the portals with their lines, by name. Each has the ids of its entities by translation key. */
export function readPortals(hass, options = {}) {
  const found = {};
  for (const entity of Object.values(hass.entities)) {
    const device = hass.devices[entity.device_id];
    if (entity.platform !== DOMAIN || entity.hidden || !device) continue;
    const item = (found[device.id] ??= {
      id: device.id,
      name: (device.name_by_user || device.name).replace(/\s+/g, " ").trim(),
      via: device.via_device_id,
      labels: [...device.labels],
      entities: {},
    });
    item.entities[entity.translation_key] = entity.entity_id;
    item.labels.push(...entity.labels);
  }
  const { compare } = new Intl.Collator(hass.language, { numeric: true });
  const items = Object.values(found).sort((one, other) => compare(one.name, other.name));
  const [portals, lines, labels] = [options.portals, options.lines, options.labels].map(asList);
  const isWanted = (line) =>
    (!lines.length && !labels.length) || isNamed(line, lines) || overlap(line.labels, labels);
  return items
    .filter((item) => !item.via && (!portals.length || isNamed(item, portals)))
    .map((portal) => ({
      ...portal,
      lines: items.filter((item) => item.via === portal.id && item.entities.registration && isWanted(item)),
    }));
}

const GRID_OPTIONS = { columns: "full", rows: "auto" };
const row = (cards, more) => ({ type: `custom:${TYPE}-row`, cards, grid_options: GRID_OPTIONS, ...more });
const titled = (text, icon, cards) =>
  cards.length ? [{ type: "heading", heading: text, icon }, ...cards] : [];

/** Return the sentence on all lines. The server fills it in, so that it follows the states by itself. */
export function sentence(portals, texts) {
  const lines = portals.flatMap((portal) => portal.lines.map((line) => ({ ...line, portal: portal.name })));
  const named = lines.map(({ name, portal, entities }) => ({
    id: entities.registration,
    name: lines.filter((line) => line.name === name).length > 1 ? `${name} (${portal})` : name,
  }));
  const literal = JSON.stringify; // what it writes is a literal of Jinja's, too
  const alert = (type, list, one, more) =>
    `{%- if ${list} %}<ha-alert alert-type="${type}">\n` +
    `{{ (${literal(one)} if ${list} | count == 1 else ${literal(more)})` +
    ` | replace("{count}", ${list} | count) | replace("{total}", lines | count)` +
    ` | replace("{names}", ${list}[:${NAMES_IN_SENTENCE}] | join(", ")` +
    ` ~ (", …" if ${list} | count > ${NAMES_IN_SENTENCE} else "")) | e }}\n</ha-alert>\n{% endif -%}`;
  const content =
    `{%- set lines = ${literal(named)} -%}` +
    `{%- set off = lines | selectattr("id", "is_state", "off") | map(attribute="name") | list -%}` +
    `{%- set other = lines | rejectattr("id", "is_state", ["on", "off"]) | map(attribute="name") | list -%}` +
    `{%- set on = [] if off or other else lines -%}` +
    alert("error", "off", texts.line_down, texts.lines_down) +
    alert("warning", "other", texts.lines_unknown, texts.lines_unknown) +
    alert("success", "on", texts.line_registered, texts.lines_registered);
  return { type: "markdown", text_only: true, content: lines.length ? content : texts.no_lines };
}

/** Return the rows of all lines: first those of all lines that are down, at last those of registered ones. */
export function lineRows(lines) {
  return STATES.flatMap(({ state, look, shows, also, color }) =>
    lines.map(({ name, entities }) => {
      const tile = { type: "tile", name, state_content: ["state", "last_changed"] };
      const cards = [{ ...tile, entity: entities.registration }];
      if (entities[shows]) cards[0] = { ...tile, entity: entities[shows], color };
      if (entities[also]) {
        const content = { name: { type: "entity" }, state_content: ["state", "error_message"] };
        cards.push({ ...tile, ...content, entity: entities[also], color });
      }
      return row(cards, {
        look,
        grid_options: { columns: 12, rows: "auto" }, // so that two fit in a wide section
        visibility: [{ condition: "state", entity: entities.registration, state }],
      });
    }),
  );
}

/** Return the bars of the last hours: a card for each portal, a bar for each line. */
function historyCards(portals) {
  return portals.map(({ name, lines }) => {
    const entities = lines.map((line) => ({ entity: line.entities.registration, name: line.name }));
    const title = portals.length > 1 ? name : undefined;
    return row([{ type: "history-graph", title, hours_to_show: HISTORY_HOURS, entities }]);
  });
}

/** Return what happened. Of a line only its problem is in it: a loss is one row, with the cause. */
function activityCards(lines) {
  const entity_id = lines.map((line) => line.entities.problem).filter(Boolean);
  const grid_options = { columns: "full", rows: 5 };
  if (!entity_id.length) return [];
  return [{ type: "logbook", hours_to_show: HISTORY_HOURS, target: { entity_id }, grid_options }];
}

/** Return the uptime of each line. */
function uptimeCards(lines) {
  const entities = lines
    .map((line) => ({ entity: line.entities.uptime_30d, name: line.name }))
    .filter(({ entity }) => entity);
  return entities.length ? [{ type: "entities", entities, grid_options: { columns: "full" } }] : [];
}

/** Return what there is to know of a portal itself. */
function portalCards({ name, entities }) {
  const tiles = ["portal", "connector_paid", "connector_paid_until", "free_minutes"]
    .filter((key) => entities[key])
    .map((key) => row([{ type: "tile", entity: entities[key], name: { type: "entity" } }]));
  return titled(name, "mdi:cloud-outline", tiles);
}

/** Return the sections: the sentence, the lines of each portal, what has been, uptime and portals. */
function sections(hass, options, texts) {
  const portals = readPortals(hass, options);
  const withLines = portals.filter(({ lines }) => lines.length);
  const lines = withLines.flatMap((portal) => portal.lines);
  const columns = options.columns ?? 3;
  const past = [...historyCards(withLines), ...activityCards(lines)];
  const uptime = titled(texts.uptime, "mdi:chart-timeline-variant", uptimeCards(lines));
  return [
    { cards: [row([sentence(portals, texts)], { look: "large" })], column_span: columns },
    ...withLines.map((portal) => ({
      cards: titled(withLines.length > 1 ? portal.name : texts.lines, "mdi:phone", lineRows(portal.lines)),
      column_span: Math.min(columns, portal.lines.length > MANY_LINES ? 2 : 1),
    })),
    { cards: titled(texts.history, "mdi:chart-timeline", past) },
    { cards: [...uptime, ...(options.hide_portal ? [] : portals.flatMap(portalCards))] },
  ].filter(({ cards }) => cards.length);
}

/** Return a view of sections. */
export function viewConfig(hass, options, texts) {
  return {
    type: "sections",
    max_columns: options.columns ?? 3,
    sections: sections(hass, options, texts).map((section) => ({ type: "grid", ...section })),
  };
}

/** Return one section with all of it, for a dashboard that somebody has already. */
export function sectionConfig(hass, options, texts) {
  return { type: "grid", cards: sections(hass, options, texts).flatMap(({ cards }) => cards) };
}

/** Return a dashboard of one view, which builds itself. */
export function dashboardConfig(hass, options, texts) {
  const view = { title: texts.title, path: "lines", icon: "mdi:phone", strategy: options };
  return { title: texts.title, views: [view] };
}

/** Return the form of the options. */
export function formSchema(hass) {
  const portals = readPortals(hass);
  const select = (name, items) => {
    const options = items.map((item) => ({ value: item.id, label: item.name }));
    return { name, selector: { select: { multiple: true, options } } };
  };
  return [
    select("portals", portals),
    select("lines", portals.flatMap((portal) => portal.lines)),
    { name: "labels", selector: { label: { multiple: true } } },
    { name: "columns", selector: { number: { min: 1, max: 6, mode: "box" } } },
    { name: "hide_portal", selector: { boolean: {} } },
  ];
}

// From here on, it is about the browser.

const loaded = {}; // the texts by language, as promises

/** Return the texts in the user's language. */
function loadTexts(hass) {
  const { language } = hass;
  const request = { type: "frontend/get_translations", category: "config_panel", integration: [DOMAIN] };
  loaded[language] ??= hass.callWS({ ...request, language }).then(({ resources }) =>
    Object.fromEntries(Object.entries(resources).map(([key, text]) => [key.split(".").pop(), text])),
  );
  loaded[language].catch(() => delete loaded[language]); // so that it is tried again
  return loaded[language];
}

/** Return the form of the options, for the dialog of the dashboard's settings. */
async function optionsForm() {
  const { hass } = document.querySelector("home-assistant");
  const texts = await loadTexts(hass);
  const form = document.createElement("ha-form");
  form.schema = formSchema(hass);
  form.computeLabel = ({ name }) => texts[`option_${name}`];
  form.computeHelper = ({ selector }) => (selector.select || selector.label ? texts.all_if_none : undefined);
  form.setConfig = (config) => (form.data = config);
  form.addEventListener("value-changed", (event) => {
    event.stopPropagation();
    const detail = { config: event.detail.value };
    form.dispatchEvent(new CustomEvent("config-changed", { detail, bubbles: true, composed: true }));
  });
  return form;
}

const STYLE = `
  :host {
    display: grid; grid-template-columns: minmax(0, 1fr);
    --state-binary_sensor-on-color: var(--green-color);
    --state-binary_sensor-off-color: var(--red-color);
    --state-binary_sensor-unknown-color: var(--amber-color);
    --state-unavailable-color: var(--grey-color);
    --history-unknown-color: var(--amber-color);
    --history-unavailable-color: var(--grey-color);
  }
  :host([look~="framed"]) {
    box-sizing: border-box;
    background: var(--ha-card-background, var(--card-background-color));
    border: 1px solid var(--ha-card-border-color, var(--divider-color));
    border-radius: var(--ha-card-border-radius, 12px);
  }
  :host([look~="framed"]) > * {
    --ha-card-background: none; --ha-card-border-width: 0; --ha-card-box-shadow: none;
  }
  :host([look~="toned"]) {
    background: color-mix(in srgb, var(--tone) 20%, var(--card-background-color));
    border-color: var(--tone);
    --secondary-text-color: var(--primary-text-color);
  }
  :host([look~="red"]) { --tone: var(--red-color); }
  :host([look~="amber"]) { --tone: var(--amber-color); }
  :host([look~="large"]) > * { zoom: 1.3; }
`;

function register() {
  /** Core cards in one frame and in the colors of the states. */
  class Row extends HTMLElement {
    setConfig({ cards, look = "" }) {
      this.setAttribute("look", look);
      this._cards = cards.map((config) => Object.assign(document.createElement("hui-card"), { config }));
      const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
      root.innerHTML = `<style>${STYLE}</style>`;
      root.append(...this._cards);
      this.hass = this._hass;
    }

    set hass(hass) {
      this._hass = hass;
      for (const card of this._cards) card.hass = hass;
    }
  }

  const strategy = (generate) =>
    class extends HTMLElement {
      static registryDependencies = ["entities", "devices", "language"];
      static getConfigElement = optionsForm;

      static async generate(config, hass) {
        return generate(hass, config, await loadTexts(hass));
      }

      static async getCreateSuggestions(hass) {
        return { title: (await loadTexts(hass)).title, icon: "mdi:phone-check" };
      }
    };

  customElements.define(`${TYPE}-row`, Row);
  customElements.define(`ll-strategy-dashboard-${TYPE}`, strategy(dashboardConfig));
  customElements.define(`ll-strategy-view-${TYPE}`, strategy(viewConfig));
  customElements.define(`ll-strategy-section-${TYPE}`, strategy(sectionConfig));
  listStrategies();
}

/** List the strategies where the frontend offers them, described in the user's language. */
function listStrategies() {
  const entries = ["dashboard", "view", "section"].map((strategyType) => ({
    type: TYPE,
    strategyType,
    name: "Bitrix24 SIP",
    documentationURL: "https://github.com/bitrix24-sip/ha-bitrix24-sip/blob/main/docs/dashboards.md",
  }));
  (window.customStrategies ??= []).push(...entries);
  const describe = async () => {
    const { hass } = document.querySelector("home-assistant");
    if (!hass?.language) return;
    const texts = await loadTexts(hass);
    for (const entry of entries) entry.description = texts.description;
  };
  window.addEventListener("translations-updated", describe);
  describe();
}

// The frontend puts a registry of its own in place of the browser's while it loads: what is defined before is
// not in it.
globalThis.customElements?.whenDefined("home-assistant").then(register);
