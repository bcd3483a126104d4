// What a page does beyond its HTML. Everything works without it.
(() => {
  'use strict';

  // Every time that counts down says how long it still is.
  const left = (ms) => {
    if (ms <= 0) return 'over';
    const minutes = Math.floor(ms / 60000), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (days > 1) return days + ' days left';
    if (hours > 0) return hours + ' h ' + (minutes % 60) + ' min left';
    return minutes > 0 ? minutes + ' min left' : Math.ceil(ms / 1000) + ' s left';
  };
  const tick = () => {
    for (const t of document.querySelectorAll('time[data-left]')) {
      const at = Date.parse(t.dateTime);
      if (at) t.textContent = left(at - Date.now());
    }
  };

  // What can be copied gets a button that does it.
  const copiable = (root) => {
    if (!navigator.clipboard) return;
    for (const pre of root.querySelectorAll('pre[data-copy]:not([data-ready])')) {
      pre.dataset.ready = '';
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'copy quiet';
      button.textContent = 'Copy';
      button.addEventListener('click', async () => {
        try {
          await navigator.clipboard.writeText(pre.querySelector('code').textContent);
          button.textContent = 'Copied';
        } catch {
          button.textContent = 'Select it and copy';
        }
        setTimeout(() => { button.textContent = 'Copy'; }, 2000);
      });
      const box = document.createElement('div');
      box.className = 'copied';
      pre.replaceWith(box);
      box.append(pre, button);
    }
  };

  // A page that changed is not pulled from under somebody's hands.
  const busy = (root) => [...root.querySelectorAll('textarea, input[type=text], input[type=search]')]
    .some((field) => field === document.activeElement || field.value !== field.defaultValue);
  document.addEventListener('htmx:beforeSwap', (event) => {
    const target = event.detail.target;
    if (!target || target.id !== 'live') return;
    if (event.detail.xhr.status !== 200 || busy(target)) {
      event.detail.shouldSwap = false;
      document.getElementById('stale')?.removeAttribute('hidden');
      return;
    }
    open = new Set([...target.querySelectorAll('details[id][open]')].map((d) => d.id));
  });
  let open = new Set();
  document.addEventListener('htmx:afterSwap', (event) => {
    for (const id of open) document.getElementById(id)?.setAttribute('open', '');
    open = new Set();
    // Whoever does not see the page is told what its heading says by now.
    const said = document.getElementById('said'), heading = document.querySelector('#live h1');
    if (said && heading) said.textContent = 'Changed: ' + heading.textContent;
    copiable(document);
    tick();
  });

  const start = () => {
    document.documentElement.classList.add('js');
    copiable(document);
    tick();
    setInterval(tick, 1000);
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start); else start();
})();
