/* A page of clouds: a list to choose from, and the chosen one. */
'use strict';

(() => {
  const clouds = JSON.parse(document.getElementById('clouds').textContent);
  const find = name => document.getElementById(name);
  const view = new CloudView.View(find('panels'), find('controls'));
  const list = find('list');
  const flat = cloud => `${cloud.mark} ${cloud.title.replaceAll('\n', ', ')}`.trim();

  list.replaceChildren(...clouds.map((cloud, index) => CloudView.element('option', {
    value: index, textContent: `${index + 1}. ${flat(cloud)}`,
  })));
  find('chooser').hidden = clouds.length < 2;

  const show = async index => {
    const cloud = clouds[index];
    list.value = index;
    find('previous').disabled = index === 0;
    find('next').disabled = index === clouds.length - 1;
    find('title').textContent = `${cloud.mark} ${cloud.title}`.trim();
    find('title').style.color = cloud.color;
    await view.show(cloud);
    document.body.dataset.shown = index;
  };

  const step = by => {
    const index = Number(list.value) + by;
    if (index >= 0 && index < clouds.length) show(index);
  };
  list.addEventListener('change', () => show(Number(list.value)));
  find('previous').addEventListener('click', () => step(-1));
  find('next').addEventListener('click', () => step(1));
  document.addEventListener('keydown', event => {
    if (event.target === list) return;
    if (event.key === 'ArrowLeft') step(-1);
    if (event.key === 'ArrowRight') step(1);
  });
  show(0);
})();
