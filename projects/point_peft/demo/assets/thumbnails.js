/* Small pictures of clouds, as thumbnails.py describes them. */
'use strict';

const drawThumbnail = (() => {
  const SHADES = ['#c9d3de', '#b5c3d2', '#a0b3c6', '#8ba3ba', '#7693ae', '#6183a2', '#4c7396', '#37638a', '#22537e', '#0d4372'];
  const SIDE = 192;          // pixels, of which a screen shows half
  const POINT = 4;

  return ({x, y, shade}, label) => {
    const canvas = Object.assign(document.createElement('canvas'), {width: SIDE, height: SIDE});
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', label);
    const pen = canvas.getContext('2d');
    x.forEach((place, index) => {
      pen.fillStyle = SHADES[shade[index]];
      pen.beginPath();
      pen.arc(place * SIDE / 100, y[index] * SIDE / 100, POINT, 0, 2 * Math.PI);
      pen.fill();
    });
    return canvas;
  };
})();
