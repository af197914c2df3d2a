// What of a page has no name, what is too pale on its ground (WCAG 2: 4.5 to 1; 3 to 1 for what is switched off), and
// which names are there twice.
(() => {
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const label = (element) =>
    element.getAttribute("aria-label") ||
    element.labels?.[0]?.textContent.trim() ||
    document.getElementById(element.getAttribute("aria-labelledby") ?? "")?.textContent ||
    element.textContent.trim();
  const controls = [...document.querySelectorAll("button, input, select, textarea, [role=slider], [tabindex='0']")];
  const nameless = controls.filter((each) => seen(each) && !label(each));
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] > 0.95) return colour;
    }
    return [255, 255, 255, 1];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => (value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const texts = [...document.querySelectorAll("body *")].filter((each) => seen(each) && hasText(each));
  const pale = texts.filter((each) => {
    if (each.closest("option, ink-stage, .unseen")) return false;
    const [one, other] = [light(rgba(getComputedStyle(each).color)), light(ground(each))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return contrast < (each.closest(":disabled") ? 3 : 4.5);
  });
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  const said = (elements) => elements.map((each) => each.outerHTML.slice(0, 120));
  return { nameless: said(nameless), pale: said(pale), twice: ids.filter((id, at) => ids.indexOf(id) !== at) };
})()
