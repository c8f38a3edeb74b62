// Draws the overview, makes the tables sort and filter, and opens a structure on demand.
const content = id => document.getElementById(id).textContent;
const overview = JSON.parse(content('overview'));
const details = document.getElementById('details');
const config = { responsive: true, displaylogo: false, toImageButtonOptions: { format: 'svg' } };

function draw(element, figure) {
  const { width, ...layout } = figure.layout;
  return Plotly.newPlot(element, figure.data, { ...layout, template: overview.template, autosize: true }, config);
}

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).json();
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
  const { html, figures } = await unpack(packed.textContent);
  close();
  details.innerHTML = html;
  details.hidden = false;
  document.querySelector(`#ranking tr[data-index="${place - 1}"]`)?.classList.add('open');
  details.scrollIntoView();
  for (const element of details.querySelectorAll('[data-figure]')) {
    await draw(element, figures[element.dataset.figure]);
  }
  details.dataset.open = place;
}

function copy(event) {
  const command = event.target.closest('code.command');
  if (!command || !navigator.clipboard) return;
  navigator.clipboard.writeText(command.textContent).then(() => command.classList.add('copied'));
}

const { default: DataTable } = await import(`data:text/javascript;base64,${content('datatables')}`);
DataTable.ext.errMode = 'throw';

if (document.getElementById('ranking')) {
  const map = document.getElementById('xi-map');
  await draw(map, overview['xi-map']);
  await draw(document.getElementById('spectra'), overview.spectra);
  const table = new DataTable('#ranking', {
    order: [],
    pageLength: 25,
    scrollX: true,
    ordering: { indicators: true, handler: true },
    columnDefs: [
      { targets: 'number', type: 'num', columnControl: [{ target: 1, content: ['searchNumber'] }] },
      { targets: '_all', columnControl: [{ target: 1, content: ['searchText'] }] },
    ],
    layout: {
      topStart: 'pageLength',
      topEnd: { search: { placeholder: 'any column' }, buttons: ['copy', 'csv'] },
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
  new DataTable('#rejected', { order: [], pageLength: 10, layout: { topEnd: 'search', topStart: 'pageLength' } });
}
addEventListener('hashchange', open);
document.addEventListener('click', copy);
await open();
document.documentElement.dataset.ready = 'true';
