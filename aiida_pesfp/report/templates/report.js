// Draws the overview, makes the tables sort and filter, and opens a structure on demand.
const content = id => document.getElementById(id).textContent;
const overview = JSON.parse(content('overview'));
const details = document.getElementById('details');
const config = {
  responsive: true, displaylogo: false, toImageButtonOptions: { format: 'svg' },
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'zoomIn2d', 'zoomOut2d', 'autoScale2d', 'tableRotation', 'resetCameraLastSave3d'],
};

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

// The address of a library that lies in the page.
async function address(name) {
  return URL.createObjectURL(new Blob([await unpack(content(name))], { type: 'text/javascript' }));
}

async function load(name) {
  const element = document.createElement('script');
  element.src = await address(name);
  await new Promise((done, failed) => { element.onload = done; element.onerror = failed; document.head.append(element); });
}

function draw(element, figure) {
  const { width, ...layout } = figure.layout;
  const whole = { ...layout, template: overview.template, autosize: true };
  return Plotly.newPlot(element, figure.data.map(solid), whole, config);
}

// Points and lines with a radius become spheres and tubes: they scale with the crystal and take light.
function solid(trace) {
  const radius = trace.meta?.radius;
  if (!radius) return trace;
  const [x, y, z] = [trace.x, trace.y, trace.z].map(numbers);
  const places = Array.from(x, (_, i) => [x[i], y[i], z[i]]);
  const mesh = { x: [], y: [], z: [], i: [], j: [], k: [] };
  if (trace.mode === 'markers') places.forEach(place => addSphere(mesh, place, radius));
  else {
    places.slice(1).forEach((end, i) => addTube(mesh, places[i], end, radius));
    if (trace.name === 'easiest path') places.forEach(place => addSphere(mesh, place, radius));
  }
  return {
    ...mesh, type: 'mesh3d', name: trace.name, color: trace.marker?.color ?? trace.line.color, showlegend: true,
    hoverinfo: trace.hoverinfo ?? 'name', flatshading: false,
    lighting: { ambient: 0.4, diffuse: 0.6, specular: 0.5, roughness: 0.3, fresnel: 0 },
    lightposition: { x: -6e4, y: 8e4, z: -1e5 }, // from behind the reader's left shoulder
  };
}

// Plotly writes arrays as plain ones, or as bytes of a type.
function numbers(array) {
  if (!array.bdata) return array;
  const bytes = Uint8Array.from(atob(array.bdata), character => character.charCodeAt(0));
  return new { f4: Float32Array, f8: Float64Array }[array.dtype](bytes.buffer);
}

// A grid of points around a centre; ring(i, j) is the offset of each.
function addGrid(mesh, centre, rows, columns, offset) {
  const first = mesh.x.length;
  for (let i = 0; i <= rows; i++) for (let j = 0; j < columns; j++) {
    const [dx, dy, dz] = offset(i / rows, 2 * Math.PI * j / columns);
    mesh.x.push(centre[0] + dx); mesh.y.push(centre[1] + dy); mesh.z.push(centre[2] + dz);
  }
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
    const [a, b] = [first + i * columns + j, first + i * columns + (j + 1) % columns];
    mesh.i.push(a, b); mesh.j.push(b, b + columns); mesh.k.push(a + columns, a + columns);
  }
}

function addSphere(mesh, centre, radius) {
  addGrid(mesh, centre, 9, 14, (t, angle) => {
    const [ring, height] = [radius * Math.sin(Math.PI * t), radius * Math.cos(Math.PI * t)];
    return [ring * Math.cos(angle), -ring * Math.sin(angle), height]; // this sense turns the faces outwards
  });
}

function addTube(mesh, start, end, radius) {
  const axis = end.map((value, i) => value - start[i]);
  const length = Math.hypot(...axis);
  if (!(length > 0)) return; // a gap between lines
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const unit = vector => vector.map(value => value / Math.hypot(...vector));
  const u = unit(cross(axis, Math.abs(axis[0]) < 0.9 * length ? [1, 0, 0] : [0, 1, 0]));
  const v = unit(cross(axis, u));
  addGrid(mesh, start, 1, 10, (t, angle) =>
    axis.map((value, i) => t * value + radius * (Math.cos(angle) * u[i] + Math.sin(angle) * v[i])));
}

function close() {
  details?.querySelectorAll('.plot').forEach(Plotly.purge);
  details?.replaceChildren();
  if (details) details.hidden = true;
  document.querySelectorAll('#ranking tr.open').forEach(row => row.classList.remove('open'));
}

async function open() {
  const place = location.hash.match(/^#structure-(\d+)$/)?.[1];
  const packed = place && document.getElementById(`payload-${place}`);
  if (!packed) return close();
  const { html, figures } = JSON.parse(await unpack(packed.textContent));
  close();
  details.innerHTML = html;
  details.hidden = false;
  document.querySelector(`#ranking tr[data-index="${place - 1}"]`)?.classList.add('open');
  details.scrollIntoView();
  details.querySelector('h2').focus({ preventScroll: true });
  for (const element of details.querySelectorAll('[data-figure]')) {
    await draw(element, figures[element.dataset.figure]);
  }
  details.dataset.open = place;
}

function copy(event) {
  const button = event.target.closest('button.copy');
  const show = () => { button.classList.add('copied'); button.textContent = 'copied'; };
  // Without access to the clipboard, the text itself appears, to be marked by hand.
  if (button) (navigator.clipboard?.writeText(button.dataset.copy) ?? Promise.reject())
    .then(show, () => button.replaceWith(Object.assign(document.createElement('code'), { className: 'command', textContent: button.dataset.copy })));
}

// On paper, tables have all rows and figures the width of half a page. Browsers do not wait until the view in space is
// drawn in another size: the style sheet shrinks it.
function preparePrint(table) {
  const plots = () => document.querySelectorAll('.js-plotly-plot:not([data-figure=structure])');
  let rows;
  addEventListener('beforeprint', () => {
    rows = table?.page.len();
    table?.page.len(-1).draw(false);
    plots().forEach(plot => Plotly.relayout(plot, { autosize: false, width: 490 }));
  });
  addEventListener('afterprint', () => {
    table?.page.len(rows).draw(false);
    plots().forEach(plot => Plotly.relayout(plot, { autosize: true, width: null }));
  });
}

await load('plotly');
const { default: DataTable } = await import(await address('datatables'));
DataTable.ext.errMode = 'throw';

let table;
if (document.getElementById('ranking')) {
  const map = document.getElementById('xi-map');
  await draw(map, overview['xi-map']);
  await draw(document.getElementById('spectra'), overview.spectra);
  // Spreadsheets would run a cell that begins as a formula.
  const plain = { exportOptions: { escapeExcelFormula: true } };
  table = new DataTable('#ranking', {
    order: [],
    pageLength: 25,
    autoWidth: false,
    ordering: { indicators: true, handler: true },
    columnDefs: [
      { targets: 'place', type: 'num', columnControl: [] },
      { targets: 'number', type: 'num', columnControl: [{ target: 1, content: ['searchNumber'] }] },
      { targets: '_all', columnControl: [{ target: 1, content: ['searchText'] }] },
    ],
    layout: {
      topStart: 'pageLength',
      topEnd: { search: { placeholder: 'any column' }, buttons: [{ extend: 'copy', ...plain }, { extend: 'csv', ...plain }] },
      bottomStart: 'info',
      bottomEnd: 'paging',
    },
  });
  const points = map.data.findIndex(trace => trace.type === 'scatter');
  table.on('draw', () => {
    const shown = table.rows({ search: 'applied' }).nodes().toArray().map(row => Number(row.dataset.index));
    const all = shown.length === map.data[points].x.length;
    Plotly.restyle(map, { selectedpoints: [all ? null : shown] }, [points]);
  });
  map.on('plotly_click', ({ points: [point] }) => { location.hash = `structure-${point.pointNumber + 1}`; });
  table.on('click', 'tbody tr[data-index]', event => {
    location.hash = `structure-${Number(event.currentTarget.dataset.index) + 1}`;
  });
}
if (document.getElementById('rejected')) {
  new DataTable('#rejected', { order: [], pageLength: 10, autoWidth: false, layout: { topEnd: 'search', topStart: 'pageLength' } });
}
preparePrint(table);
addEventListener('hashchange', open);
addEventListener('keydown', event => {
  if (event.key !== 'Escape' || !details || details.hidden) return;
  const row = document.querySelector('#ranking tr.open a');
  location.hash = 'ranking';
  row?.focus();
});
document.addEventListener('click', copy);
await open();
document.documentElement.dataset.ready = 'true';
