/* Clouds to turn: draws what page_data.py describes with plotly, one canvas per panel, all seen from the same side. */
'use strict';

const CloudView = (() => {
  const FILL = 0.94;         // of a panel's width or height, whichever is reached first
  const EYE = 5;             // from where clouds are seen, without perspective: far enough that zooming cuts nothing off
  const ZOOM = 1.25;         // of a button
  const CONFIG = {displayModeBar: false, displaylogo: false, responsive: false, showTips: false};

  const element = (tag, properties = {}, children = []) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  /* Plotly's length of the cube's edges with which the cloud fills a panel, however it is turned about its up axis. */
  const fitted = (cloud, width, height) => {
    const pixels = FILL / 2 * Math.min(width / cloud.extent[0], height / cloud.extent[1]);
    return 4 * cloud.radius * pixels / height;
  };

  /* Pixels of a point with which points neither hide one another nor get lost. */
  const pointSize = (panel, plot) => {
    return Math.min(3, Math.max(0.8, 0.13 * Math.sqrt(plot.clientWidth * plot.clientHeight / panel.points)));
  };

  const layoutOf = (cloud, size) => ({
    margin: {l: 0, r: 0, t: 0, b: 0},
    showlegend: false,
    paper_bgcolor: 'rgba(0,0,0,0)',
    hoverlabel: {font: {size: 13}},
    scene: {
      aspectmode: 'manual',
      aspectratio: {x: size, y: size, z: size},
      dragmode: 'turntable',
      camera: {
        projection: {type: 'orthographic'},
        up: {x: 0, y: 0, z: 1},
        center: {x: 0, y: 0, z: 0},
        eye: {x: EYE * cloud.eye[0], y: EYE * cloud.eye[1], z: EYE * cloud.eye[2]},
      },
      ...Object.fromEntries(['x', 'y', 'z'].map((axis, index) => [axis + 'axis', {
        visible: false,
        range: [cloud.center[index] - cloud.radius, cloud.center[index] + cloud.radius],
      }])),
    },
  });

  /* Shows one cloud in two elements: its panels, and its legend with the buttons that change the view. */
  class View {
    constructor(panels, controls) {
      this.panels = panels;
      this.controls = controls;
      this.plots = [];
      this.following = false;
      new ResizeObserver(() => this.resize()).observe(panels);
    }

    async show(cloud) {
      this.plots.forEach(plot => Plotly.purge(plot));
      this.cloud = cloud;
      this.zoom = 1;
      this.hidden = new Set();
      this.plots = cloud.panels.map(() => element('div', {className: 'cloud'}));
      this.panels.replaceChildren(...cloud.panels.map((panel, index) => element('figure', {}, [
        ...(panel.name ? [element('figcaption', {textContent: panel.name})] : []),
        this.plots[index],
      ])));
      this.panels.dataset.count = cloud.panels.length;
      this.controls.replaceChildren(this.legend(), this.buttons());
      await Promise.all(this.plots.map((plot, index) => Plotly.newPlot(
        plot, this.traces(plot, cloud.panels[index]), layoutOf(cloud, this.size(plot)), CONFIG)));
      this.plots.forEach(plot => {
        const follow = change => this.follow(plot, change);
        plot.on('plotly_relayouting', follow);
        plot.on('plotly_relayout', follow);
      });
    }

    traces(plot, panel) {
      const size = pointSize(panel, plot);
      return panel.traces.map(trace => trace.marker ? {...trace, marker: {...trace.marker, size}} : trace);
    }

    size(plot) {
      return this.zoom * fitted(this.cloud, plot.clientWidth || 1, plot.clientHeight || 1);
    }

    /* The other panels are seen from where one is. */
    async follow(moved, change) {
      const seen = Object.entries(change).filter(([key]) => /^scene\.(camera|aspectratio)/.test(key));
      if (this.following || !seen.length) return;
      this.following = true;
      const others = this.plots.filter(plot => plot !== moved);
      await Promise.all(others.map(plot => Plotly.relayout(plot, structuredClone(Object.fromEntries(seen)))));
      this.following = false;
    }

    async look(change) {
      this.following = true;
      await Promise.all(this.plots.map(plot => Plotly.relayout(plot, change(plot))));
      this.following = false;
    }

    resize() {
      if (!this.cloud) return;
      this.plots.forEach(plot => { if (plot.data) Plotly.Plots.resize(plot); });
      this.look(plot => ({'scene.aspectratio': layoutOf(this.cloud, this.size(plot)).scene.aspectratio}));
    }

    zoomBy(factor) {
      this.zoom *= factor;
      this.look(plot => {
        const now = plot.layout.scene.aspectratio.x * factor;
        return {'scene.aspectratio': {x: now, y: now, z: now}};
      });
    }

    reset() {
      this.zoom = 1;
      this.look(plot => {
        const {camera, aspectratio} = layoutOf(this.cloud, this.size(plot)).scene;
        return {'scene.camera': camera, 'scene.aspectratio': aspectratio};
      });
    }

    legend() {
      return element('div', {className: 'legend'}, this.cloud.legend.map(({key, name, color}) => {
        const dot = element('i');
        dot.style.background = color;
        const button = element('button', {type: 'button', title: 'hide or show'}, [dot, name]);
        button.setAttribute('aria-pressed', 'true');
        button.addEventListener('click', () => this.toggle(key, button));
        return button;
      }));
    }

    toggle(key, button) {
      const hide = !this.hidden.delete(key);
      if (hide) this.hidden.add(key);
      button.setAttribute('aria-pressed', String(!hide));
      this.plots.forEach(plot => {
        const own = [...plot.data.keys()].filter(index => plot.data[index].legendgroup === key);
        if (own.length) Plotly.restyle(plot, {visible: !hide}, own);
      });
    }

    buttons() {
      const button = (text, label, act) => {
        const made = element('button', {type: 'button', textContent: text, title: label});
        made.setAttribute('aria-label', label);
        made.addEventListener('click', act);
        return made;
      };
      return element('div', {className: 'view'}, [
        button('\u2212', 'smaller', () => this.zoomBy(1 / ZOOM)),
        button('+', 'larger', () => this.zoomBy(ZOOM)),
        button('\u21ba', 'as at first', () => this.reset()),
      ]);
    }
  }

  return {View, element};
})();
