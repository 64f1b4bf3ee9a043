// Swaps drawings that were computed beforehand; only the choice of the drawing is computed here.
for (const figure of document.querySelectorAll('figure.knobs')) {
  const [svg, sliders, reading] = ['svg', '.sliders', '.reading'].map(name => figure.querySelector(name));
  const inputs = [...sliders.querySelectorAll('input')];
  const base = svg.innerHTML.split('\n');
  let data;
  const show = () => {
    data ??= JSON.parse(figure.querySelector('script').textContent);
    let at = 0;
    inputs.forEach((input, i) => {
      const names = data.knobs[i];
      at = at * names.length + input.valueAsNumber;
      input.setAttribute('aria-valuetext', names[input.valueAsNumber]);
      input.parentElement.querySelector('b').textContent = names[input.valueAsNumber];
    });
    const [before, after, written] = data.frames[at];
    const own = data.short.reduce((text, [mark, long]) => text.replaceAll(mark, long), written);
    const lines = [...base.slice(0, before), ...(own ? [own] : []), ...base.slice(base.length - after)];
    svg.innerHTML = lines.join('\n');
    reading.textContent = data.readings[at];
  };
  inputs.forEach(input => input.addEventListener('input', show));
  sliders.hidden = false;
}
