/**
 * The dashboard strategy of Bitrix24 SIP: a dashboard, a view and a section that build themselves.
 *
 * The first half is pure: it turns Home Assistant's registries into the configuration of core cards. It runs again
 * when a registry or the language changes. What follows a state does so without it: each line has a row for each
 * state that it can be in, and the frontend shows the one whose condition is met. So a line that is lost moves to
 * the top, and nothing else on the page is built anew.
 */

const DOMAIN = "bitrix24_sip";
const TYPE = "bitrix24-sip";
const ROW = `custom:${TYPE}-row`;
const HISTORY_HOURS = 24;
const MANY_LINES = 10; // from here on, the lines get two columns
const NAMES_IN_SENTENCE = 6;

// The rows of a line, those of lines that are down first. While a line is not settled, the status says what the portal is doing.
const STATES = [
  { state: "off", tone: "red", shows: "registration" },
  { state: "unknown", tone: "amber", shows: "status", color: "amber" },
  { state: "unavailable", shows: "registration" },
  { state: "on", shows: "registration" },
];

const asList = (value) => (value === undefined || value === null ? [] : [value].flat());

/** Return the portals with their lines, by name. Each has the ids of its entities by translation key. */
export function readPortals(hass, options = {}) {
  const found = new Map();
  for (const entity of Object.values(hass.entities)) {
    const device = hass.devices[entity.device_id];
    if (entity.platform !== DOMAIN || !entity.translation_key || entity.hidden || !device) continue;
    if (!found.has(device.id)) {
      found.set(device.id, { id: device.id, name: nameOf(device), via: device.via_device_id, labels: [], entities: {} });
    }
    const item = found.get(device.id);
    item.entities[entity.translation_key] = entity.entity_id;
    item.labels.push(...(device.labels ?? []), ...(entity.labels ?? []));
  }
  const collator = new Intl.Collator(hass.language, { numeric: true });
  const items = [...found.values()].sort((one, other) => collator.compare(one.name, other.name));
  const wanted = asList(options.portals);
  return items
    .filter((item) => !item.via && (!wanted.length || names(item, wanted)))
    .map((portal) => ({
      ...portal,
      lines: items.filter((item) => item.via === portal.id && item.entities.registration && isWanted(item, options)),
    }));
}

function nameOf(device) {
  return (device.name_by_user || device.name || "").replace(/\s+/g, " ").trim();
}

/** Return whether a portal or a line is named in a list, by its name, its device or one of its entities. */
function names(item, list) {
  return list.some((value) => [item.id, item.name, ...Object.values(item.entities)].includes(value));
}

function isWanted(line, options) {
  const lines = asList(options.lines);
  const labels = asList(options.labels);
  if (!lines.length && !labels.length) return true;
  return names(line, lines) || labels.some((label) => line.labels.includes(label));
}

/** Return the sentence on all lines. The server fills it in, so that it follows the states by itself. */
export function sentence(portals, texts) {
  const lines = portals.flatMap((portal) => portal.lines.map((line) => ({ portal, line })));
  if (!lines.length) return { type: "markdown", text_only: true, content: texts.no_lines };
  const isAmbiguous = ({ name }) => lines.filter(({ line }) => line.name === name).length > 1;
  const pairs = lines.map(({ portal, line }) => [
    line.entities.registration,
    isAmbiguous(line) ? `${line.name} (${portal.name})` : line.name,
  ]);
  const literal = JSON.stringify; // what it writes is a literal of Jinja's, too
  const filled = (one, more, list) =>
    `{{ (${literal(one)} if ns.${list} | count == 1 else ${literal(more)})` +
    ` | replace("{count}", ns.${list} | count) | replace("{total}", lines | count)` +
    ` | replace("{names}", ns.${list}[:${NAMES_IN_SENTENCE}] | join(", ")` +
    ` ~ (", …" if ns.${list} | count > ${NAMES_IN_SENTENCE} else "")) | e }}`;
  const alert = (type, content) => `<ha-alert alert-type="${type}">\n${content}\n</ha-alert>\n`;
  return {
    type: "markdown",
    text_only: true,
    content:
      `{%- set lines = ${literal(pairs)} -%}{%- set ns = namespace(off=[], other=[], on=[]) -%}` +
      `{%- for entity, name in lines -%}{%- if is_state(entity, "off") -%}{%- set ns.off = ns.off + [name] -%}` +
      `{%- elif is_state(entity, "on") -%}{%- set ns.on = ns.on + [name] -%}` +
      `{%- else -%}{%- set ns.other = ns.other + [name] -%}{%- endif -%}{%- endfor -%}` +
      `{%- if ns.off %}${alert("error", filled(texts.line_down, texts.lines_down, "off"))}{% endif -%}` +
      `{%- if ns.other %}${alert("warning", filled(texts.lines_unknown, texts.lines_unknown, "other"))}{% endif -%}` +
      `{%- if not ns.off and not ns.other %}` +
      `${alert("success", filled(texts.line_registered, texts.lines_registered, "on"))}{% endif -%}`,
  };
}

const row = (cards, more = {}) => ({
  type: ROW,
  cards,
  grid_options: { columns: "full", rows: "auto" },
  ...more,
});

const heading = (text, icon) => ({ type: "heading", heading: text, icon });

/** Return the rows of all lines: first those of all lines that are down, at last those of all that are registered. */
export function lineRows(lines) {
  return STATES.flatMap((state) =>
    lines.map(({ name, entities }) => {
      const cards = [
        {
          type: "tile",
          entity: entities[state.shows] ?? entities.registration,
          name,
          color: state.color,
          state_content: ["state", "last_changed"],
        },
      ];
      if (state.state === "off" && entities.problem) {
        const content = ["state", "error_message"];
        cards.push({ type: "tile", entity: entities.problem, name: { type: "entity" }, color: "red", state_content: content });
      }
      return row(cards, {
        framed: true,
        tone: state.tone,
        grid_options: { columns: 12, rows: "auto" }, // so that two fit in a wide section
        visibility: [{ condition: "state", entity: entities.registration, state: state.state }],
      });
    }),
  );
}

/** Return the bars of the last 24 hours: a card for each portal, a bar for each line. */
export function historyCards(portals) {
  const shown = portals.filter((portal) => portal.lines.length);
  return shown.map(({ name, lines }) =>
    row([
      {
        type: "history-graph",
        title: shown.length > 1 ? name : undefined,
        hours_to_show: HISTORY_HOURS,
        entities: lines.map((line) => ({ entity: line.entities.registration, name: line.name })),
      },
    ]),
  );
}

/** Return what happened. Of a line only its problem is in it: a drop is one row with the cause. */
export function activityCards(portals) {
  const entities = portals.flatMap(({ lines }) => lines.map((line) => line.entities.problem)).filter(Boolean);
  if (!entities.length) return [];
  return [
    {
      type: "logbook",
      hours_to_show: HISTORY_HOURS,
      target: { entity_id: entities },
      grid_options: { columns: "full", rows: 5 },
    },
  ];
}

/** Return the uptime of each line, with a heading. */
export function uptimeCards(portals, texts) {
  const entities = portals
    .flatMap(({ lines }) => lines)
    .filter((line) => line.entities.uptime_30d)
    .map(({ name, entities: { uptime_30d } }) => ({ entity: uptime_30d, name }));
  if (!entities.length) return [];
  return [
    heading(texts.uptime, "mdi:chart-timeline-variant"),
    { type: "entities", entities, grid_options: { columns: "full" } },
  ];
}

/** Return what there is to know of a portal itself. */
export function portalCards({ name, entities }) {
  const tiles = ["portal", "connector_paid", "connector_paid_until", "free_minutes"]
    .filter((key) => entities[key])
    .map((key) => row([{ type: "tile", entity: entities[key], name: { type: "entity" } }]));
  return [heading(name, "mdi:cloud-outline"), ...tiles];
}

function lineCards(portals, texts) {
  const several = portals.length > 1;
  return portals.map(({ name, lines }) => [
    heading(several ? name : texts.lines, "mdi:phone"),
    ...lineRows(lines),
  ]);
}

/** Return a view of sections: the sentence, the lines, their last 24 hours, the portals. */
export function viewConfig(hass, options, texts) {
  const portals = readPortals(hass, options);
  const columns = options.columns ?? 3;
  const withLines = portals.filter((portal) => portal.lines.length);
  const sections = [
    { cards: [row([sentence(portals, texts)], { large: true })], column_span: columns },
    ...lineCards(withLines, texts).map((cards, index) => ({
      cards,
      column_span: Math.min(columns, withLines[index].lines.length > MANY_LINES ? 2 : 1),
    })),
  ];
  if (withLines.length) {
    const title = heading(texts.history, "mdi:chart-timeline");
    sections.push({ cards: [title, ...historyCards(portals), ...activityCards(portals)] });
  }
  const more = [...uptimeCards(portals, texts), ...(options.hide_portal ? [] : portals.flatMap(portalCards))];
  if (more.length) sections.push({ cards: more });
  return {
    type: "sections",
    max_columns: columns,
    sections: sections.map((section) => ({ type: "grid", ...section })),
  };
}

/** Return one section with all of it, for a dashboard that somebody has already. */
export function sectionConfig(hass, options, texts) {
  const portals = readPortals(hass, options);
  const withLines = portals.filter((portal) => portal.lines.length);
  return {
    type: "grid",
    cards: [
      row([sentence(portals, texts)], { large: true }),
      ...lineCards(withLines, texts).flat(),
      ...historyCards(portals),
      ...uptimeCards(portals, texts),
      ...(options.hide_portal ? [] : portals.flatMap(portalCards)),
    ],
  };
}

/** Return a dashboard of one view, which builds itself. */
export function dashboardConfig(options, texts) {
  const { type, ...more } = options;
  const strategy = { ...more, type: `custom:${TYPE}` };
  return { title: texts.title, views: [{ title: texts.title, path: "lines", icon: "mdi:phone", strategy }] };
}

/** Return the form of the options. */
export function formSchema(hass) {
  const portals = readPortals(hass);
  const select = (name, items) => ({
    name,
    selector: { select: { multiple: true, options: items.map(({ id, name: label }) => ({ value: id, label })) } },
  });
  return [
    select("portals", portals),
    select("lines", portals.flatMap((portal) => portal.lines)),
    { name: "labels", selector: { label: { multiple: true } } },
    { name: "columns", selector: { number: { min: 1, max: 6, mode: "box" } } },
    { name: "hide_portal", selector: { boolean: {} } },
  ];
}

// From here on, it is about the browser.

const loaded = new Map(); // the texts by language, as promises

/** Return the texts in the user's language. */
function loadTexts(hass) {
  const { language } = hass;
  if (!loaded.has(language)) {
    const prefix = `component.${DOMAIN}.config_panel.dashboard.`;
    const request = { type: "frontend/get_translations", language, category: "config_panel", integration: [DOMAIN] };
    const answer = hass.callWS(request).then(({ resources }) =>
      Object.fromEntries(Object.entries(resources).map(([key, text]) => [key.replace(prefix, ""), text])),
    );
    answer.catch(() => loaded.delete(language)); // so that it is tried again
    loaded.set(language, answer);
  }
  return loaded.get(language);
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
  :host([framed]) {
    box-sizing: border-box;
    background: var(--ha-card-background, var(--card-background-color));
    border: 1px solid var(--ha-card-border-color, var(--divider-color));
    border-radius: var(--ha-card-border-radius, 12px);
  }
  :host([framed]) > * { --ha-card-background: none; --ha-card-border-width: 0; --ha-card-box-shadow: none; }
  :host([tone]) {
    background: color-mix(in srgb, var(--tone) 20%, var(--card-background-color));
    border-color: var(--tone);
    --secondary-text-color: var(--primary-text-color);
  }
  :host([tone="red"]) { --tone: var(--red-color); }
  :host([tone="amber"]) { --tone: var(--amber-color); }
  :host([large]) > * { zoom: 1.3; }
`;

function register() {
  const define = (name, element) => customElements.get(name) ?? customElements.define(name, element);

  /** Core cards in one frame and in the colors of the states. They are created when they are first shown. */
  class Row extends HTMLElement {
    setConfig(config) {
      this._config = config;
      for (const name of ["framed", "large", "tone"]) {
        if (config[name]) this.setAttribute(name, config[name]);
        else this.removeAttribute(name);
      }
      if (this.isConnected) this._build();
    }

    set hass(hass) {
      this._hass = hass;
      for (const card of this._cards ?? []) card.hass = hass;
    }

    connectedCallback() {
      this._build();
    }

    async _build() {
      const config = this._config;
      if (this._built === config) return;
      this._built = config;
      const helpers = await window.loadCardHelpers();
      if (this._config !== config) return;
      this._cards = config.cards.map((card) => this._create(helpers, card));
      const style = document.createElement("style");
      style.textContent = STYLE;
      (this.shadowRoot ?? this.attachShadow({ mode: "open" })).replaceChildren(style, ...this._cards);
    }

    _create(helpers, config) {
      const card = helpers.createCardElement(config);
      card.hass = this._hass;
      // A card whose code has been loaded meanwhile.
      card.addEventListener("ll-upgrade", (event) => {
        event.stopPropagation();
        card.hass = this._hass;
      });
      card.addEventListener("ll-rebuild", (event) => {
        event.stopPropagation();
        const again = this._create(helpers, config);
        this._cards.splice(this._cards.indexOf(card), 1, again);
        card.replaceWith(again);
      }, { once: true });
      return card;
    }
  }

  /** The form of the options, in the dialog of the dashboard's settings. */
  class Editor extends HTMLElement {
    setConfig(config) {
      this._config = config;
      this._show();
    }

    set hass(hass) {
      this._hass = hass;
      this._show();
    }

    async _show() {
      if (!this._hass || !this._config) return;
      const texts = await loadTexts(this._hass);
      if (!this._form) {
        this._form = document.createElement("ha-form");
        this._form.computeLabel = ({ name }) => texts[`option_${name}`];
        this._form.computeHelper = ({ selector }) => (selector.select || selector.label ? texts.all_if_none : undefined);
        this._form.addEventListener("value-changed", (event) => {
          event.stopPropagation();
          const detail = { config: { ...this._config, ...event.detail.value } };
          this.dispatchEvent(new CustomEvent("config-changed", { detail, bubbles: true, composed: true }));
        });
        this.append(this._form);
        this._form.schema = formSchema(this._hass);
      }
      this._form.hass = this._hass;
      this._form.data = this._config;
    }
  }

  const strategy = (generate) =>
    class extends HTMLElement {
      static registryDependencies = ["entities", "devices", "language"];

      static async generate(config, hass) {
        return generate(hass, config, await loadTexts(hass));
      }

      static getConfigElement() {
        return document.createElement(`${TYPE}-editor`);
      }

      static async getCreateSuggestions(hass) {
        return { title: (await loadTexts(hass)).title, icon: "mdi:phone-check" };
      }
    };

  define(`${TYPE}-row`, Row);
  define(`${TYPE}-editor`, Editor);
  define(`ll-strategy-dashboard-${TYPE}`, strategy((_, config, texts) => dashboardConfig(config, texts)));
  define(`ll-strategy-view-${TYPE}`, strategy(viewConfig));
  define(`ll-strategy-section-${TYPE}`, strategy(sectionConfig));
  listStrategies();
}

/** List the strategies where the frontend offers them, described in the user's language as soon as that is known. */
function listStrategies() {
  window.customStrategies ??= [];
  if (window.customStrategies.some(({ type }) => type === TYPE)) return;
  const entries = ["dashboard", "view", "section"].map((strategyType) => ({
    type: TYPE,
    strategyType,
    name: "Bitrix24 SIP",
    description: "",
    documentationURL: "https://github.com/bitrix24-sip/ha-bitrix24-sip/blob/main/docs/dashboards.md",
  }));
  window.customStrategies.push(...entries);
  const describe = async () => {
    const hass = document.querySelector("home-assistant")?.hass;
    if (!hass?.language) return;
    const texts = await loadTexts(hass);
    for (const entry of entries) entry.description = texts.description;
  };
  window.addEventListener("translations-updated", describe);
  describe();
}

// The frontend puts a registry of its own in place of the browser's while it loads: what is defined before is not in it.
globalThis.customElements?.whenDefined("home-assistant").then(register);
