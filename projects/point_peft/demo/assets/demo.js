/* The demo's page: sends a file or asks for an example, and shows the answer. */
'use strict';

(() => {
  const FIRST = 5;           // classes that are shown at first
  const {element} = CloudView;
  const find = name => document.getElementById(name);
  const view = new CloudView.View(find('panels'), find('controls'));
  const percent = value => `${(100 * value).toFixed(1)} %`;
  let model;
  let again = () => {};      // asks for what is shown once more, when the category is another
  let asked = 0;             // only the answer to the last question is shown

  const say = text => { find('status').textContent = text; find('status').hidden = !text; };

  const fail = sentence => {
    say('');
    find('error').textContent = sentence;
    find('error').hidden = false;
    document.body.dataset.state = 'error';
  };

  const ask = async (address, body, what) => {
    const number = ++asked;
    document.body.dataset.state = 'busy';
    document.body.classList.add('busy');
    find('error').hidden = true;
    say(`looking at ${what} \u2026`);
    try {
      const reply = await fetch(address, {method: 'POST', body});
      const answer = await reply.json();
      if (number !== asked) return;
      if (answer.error) fail(answer.error);
      else await show(answer);
    } catch (error) {
      if (number === asked) fail('The demo does not answer; is it still running?');
    } finally {
      if (number === asked) document.body.classList.remove('busy');
    }
  };

  const category = () => model.categories.length ? `&category=${encodeURIComponent(find('category').value)}` : '';

  const sendFile = file => {
    if (file.size > model.largest) {
      asked += 1;
      document.body.classList.remove('busy');
      const size = bytes => (bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0);
      fail(`${file.name} has ${size(file.size)} MB, and the limit is ${size(model.largest)} MB; thin it out, or start the demo with a larger --max-mb.`);
      return;
    }
    again = () => ask(`predict?name=${encodeURIComponent(file.name)}${category()}`, file, file.name);
    again();
  };

  const tryExample = index => {
    const {name} = model.examples[index];
    if (model.categories.includes(name)) find('category').value = name;
    again = () => ask(`example?index=${index}${category()}`, '', `the ${name}`);
    again();
  };

  const show = async answer => {
    say('');
    find('name').textContent = answer.name;
    find('found').textContent = answer.classes.length
      ? `${answer.classes[0].name}, ${percent(answer.classes[0].probability)}`
      : `parts of: ${answer.category}`;
    find('answer').hidden = !answer.classes.length && !answer.neighbors.length;
    showClasses(answer.classes);
    showNeighbors(answer.neighbors);
    await view.show(answer.cloud);
    // On a phone the answer is below what was clicked.
    if (find('output').getBoundingClientRect().bottom > window.innerHeight) find('output').scrollIntoView();
    document.body.dataset.state = 'shown';
  };

  const showClasses = classes => {
    find('classes-part').hidden = !classes.length;
    const lines = classes.map(({name, probability}) => {
      const bar = element('i');
      bar.style.width = `${100 * probability}%`;
      return element('li', {}, [
        element('span', {className: 'class', textContent: name}),
        element('span', {textContent: percent(probability)}),
        element('div', {className: 'bar'}, [bar]),
      ]);
    });
    lines.forEach((line, index) => { line.hidden = index >= FIRST; });
    find('classes').replaceChildren(...lines);
    find('more').hidden = classes.length <= FIRST;
    find('more').textContent = `all ${classes.length} classes`;
    find('more').onclick = () => {
      lines.forEach(line => { line.hidden = false; });
      find('more').hidden = true;
    };
  };

  const showNeighbors = neighbors => {
    find('neighbors-part').hidden = !neighbors.length;
    find('neighbors').replaceChildren(...neighbors.map(({row, similarity, name, source, picture}) => element('li', {
      title: source || '',
    }, [
      ...(picture ? [drawThumbnail(picture, name)] : []),
      element('b', {textContent: name || `row ${row}`}),
      element('span', {textContent: similarity.toFixed(3)}),
      ...(name ? [element('span', {textContent: source || `row ${row}`})] : []),
    ])));
  };

  const prepare = () => {
    find('model').textContent = `${model.name}: ${model.task} of single objects`;
    find('suffixes').textContent = model.suffixes.join(' ');
    find('rows').textContent = model.neighbors;
    find('note').textContent = model.note;
    find('category-row').hidden = !model.categories.length;
    find('category').replaceChildren(...model.categories.map(name => element('option', {value: name, textContent: name})));
    find('category').addEventListener('change', () => again());
    find('examples').replaceChildren(...model.examples.map(({name, picture}, index) => {
      const button = element('button', {type: 'button'}, [drawThumbnail(picture, ''), name]);
      button.addEventListener('click', () => tryExample(index));
      return button;
    }));
    find('file').addEventListener('change', () => {
      if (find('file').files.length) sendFile(find('file').files[0]);
      find('file').value = '';  // so that the same file can be chosen again
    });
    find('drop').addEventListener('keydown', event => { if (event.key === 'Enter') find('file').click(); });
    // All of the page takes a file: a browser would open one that is dropped beside the field.
    document.addEventListener('dragover', event => {
      event.preventDefault();
      find('drop').classList.add('over');
    });
    document.addEventListener('dragleave', event => { if (!event.relatedTarget) find('drop').classList.remove('over'); });
    document.addEventListener('drop', event => {
      event.preventDefault();
      find('drop').classList.remove('over');
      if (event.dataTransfer.files.length) sendFile(event.dataTransfer.files[0]);
    });
    document.body.dataset.state = 'ready';
  };

  fetch('model').then(reply => reply.json()).then(found => { model = found; prepare(); });
})();
