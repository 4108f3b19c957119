/** What the bundled directory is. */
export const welcome = `Welcome.

This is the directory that fastify-media serves where it is told of no other. Every file in it
was made by examples/render.mjs. Serve your own instead:

    npm start -- path/to/your/files

Things to try from here

- Open a picture, a sound or the animation: each opens in place. The arrow keys turn.
- Press / and type: the list is filtered.
- Open site/: a directory with an index.html shows that instead of a list.
- Ask for site/style.css with Accept-Encoding: br. The answer is the smaller file beside it.
- Ask for this directory with Accept: application/json, and the list comes as JSON.
- Ask for bytes 0-99 of sounds/chime.wav with a Range header. The answer is a 206.
`

export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>A small site</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" type="image/svg+xml" href="../flower.svg">
<link rel="stylesheet" href="style.css">
</head>
<body>
<main>
<img src="../dusk.png" alt="Hills at dusk" width="800" height="534">
<h1>A small site</h1>
<p>This directory holds an <code>index.html</code>, so you see that and not a list of its files.</p>
<p>The style of this page came compressed: <code>style.css.br</code> lies beside <code>style.css</code>, and your browser takes it.</p>
<p><a href="../">Back to the list</a></p>
</main>
</body>
</html>
`

export const style = `:root {
  color-scheme: light dark;
  font: 1.125rem/1.6 Georgia, "Times New Roman", serif;
  color: #2b2238;
  background: #fdf6ee;
}

body {
  margin: 0;
}

main {
  max-width: 42rem;
  margin: 0 auto;
  padding: 2rem 1.25rem 4rem;
}

img {
  display: block;
  width: 100%;
  height: auto;
  border-radius: 0.75rem;
}

h1 {
  margin: 1.5rem 0 0.5rem;
  font-size: clamp(1.75rem, 5vw, 2.75rem);
  line-height: 1.1;
}

code {
  padding: 0.1em 0.35em;
  border-radius: 0.3em;
  background: rgb(91 47 125 / 12%);
  font-size: 0.85em;
}

a {
  color: #a8325f;
}

@media (prefers-color-scheme: dark) {
  :root {
    color: #f3e9dd;
    background: #17122b;
  }

  a {
    color: #ffb38a;
  }
}
`

/** Radius in kilometres, year in Earth's days (https://nssdc.gsfc.nasa.gov/planetary/factsheet/). */
export const planets = `name,radius,year
Mercury,2440,88
Venus,6052,224.7
Earth,6371,365.2
Mars,3390,687
Jupiter,69911,4331
Saturn,58232,10747
Uranus,25362,30589
Neptune,24622,59800
`
