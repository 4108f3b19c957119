// docs/transforms.md, from the tables of operations, IPX modifiers and defaults; for docs/generate.mjs.
import { ipxModifiers } from '../dist/lib/transform/grammars/ipx-modifiers.js'
import { defaultQualities, defaultWidths } from '../dist/lib/transform/limits.js'
import { operationNames, operations } from '../dist/lib/transform/operations.js'
import { url } from '../dist/lib/url/index.js'

const code = text => `\`${text}\``
const list = names => names.map(code).join(', ')

/** The steps of the pipeline that operations belong to, in their order. */
const steps = {
  open: 'Frames and pages',
  orient: 'Turning',
  crop: 'Cutting out',
  size: 'Size',
  adjust: 'Colours and detail',
  decorate: 'Borders, masks, overlays, text',
  encode: 'Format'
}

function section (name) {
  const { aliases, argument, doc, example } = operations[name]
  const also = aliases.length === 0 ? '' : `, also ${list(aliases)}`
  return `### ${code(name)}${also}

${doc}. Expects ${argument.expected}.

\`?${example}\`

![${name}](transforms/${name}.webp)`
}

function stepSections ([step, title]) {
  return [`## ${title}`, ...operationNames.filter(name => operations[name].step === step).map(section)].join('\n\n')
}

function builderSample () {
  const cat = url('/photos/cat.jpg')
  return `\`\`\`js
import { url } from 'fastify-media/url'

const cat = url('/photos/cat.jpg')

cat.resize({ width: 320, height: 200, fit: 'cover', focus: { x: 0.3, y: 0.4 } }).format('auto').toString()
// ${cat.resize({ width: 320, height: 200, fit: 'cover', focus: { x: 0.3, y: 0.4 } }).format('auto').toString()}

cat.set('bri', 20).srcset([320, 640])
// ${cat.set('bri', 20).srcset([320, 640])}

cat.resize({ width: 300 }).srcset({ densities: [1, 2] })
// ${cat.resize({ width: 300 }).srcset({ densities: [1, 2] })}

const { sources, img } = cat.sources({ widths: [320, 640], formats: ['avif', 'webp'], sizes: '100vw' })
// sources[0].srcset: ${cat.sources({ widths: [320, 640], formats: ['avif', 'webp'] }).sources[0].srcset}

url('/photos/my cat.jpg', { base: 'https://cdn.example.com', grammar: 'ipx' }).resize({ width: 320 }).toString()
// ${url('/photos/my cat.jpg', { base: 'https://cdn.example.com', grammar: 'ipx' }).resize({ width: 320 }).toString()}
\`\`\``
}

/** @param generated the line that says what wrote the page */
export function transformsPage (generated) {
  return `# Pictures by URL

${generated}

Every picture of a mount can be had in any size and format: \`/photos/cat.jpg?w=320&h=200&fit=cover&f=auto\`. The order of parameters means nothing. A parameter that is unknown, repeated (also under another name) or malformed is answered with 400 \`bad-transform\`, which names it; \`images.unknownParameters\` and \`images.ignoredParameters\` let others pass. Names are those of imgix where it has one.

Beside the operations below, a URL may hold

- \`preset=NAME\` (also \`p\`): a transform of the configuration. What the URL says goes before it.
- \`info\`: facts about the original as JSON.
- \`download\` or \`download=NAME\` (also \`dl\`): to be saved, not shown.
- \`auto=format\`, \`auto=compress\` or both, as with imgix: \`f=auto\`, whatever \`f\` says, and \`q=auto\`, where \`q\` says nothing. \`fm=pjpg\` is progressive JPEG.

## What may be asked for

\`images.mode\` of a mount decides:

- \`snapped\` (default): sizes, qualities and other numbers are brought to a list or a grid, so that nobody fills the cache by counting. Pixel density is multiplied out first; the width rounds up to an allowed one, the height keeps the proportion that was asked for and rounds up too. \`txt\` is refused, except in presets. Not bounded are colours, \`rect\` in pixels, and how operations are combined; the size of the cache bounds what they can do.
- \`presets\`: \`preset=NAME\`, and nothing beside it but \`info\` and \`download\`.
- \`open\`: everything within the limits.
- \`signed\`: nothing without a signature.

Widths and heights by default: ${defaultWidths.join(', ')}.

Qualities by default: ${defaultQualities.join(', ')}.

## In code

\`fastify-media/url\` writes these URLs, in Node.js and in browsers, without dependencies. Types tell each operation's values.

${builderSample()}

## As with imgix, and not

Names and most values are imgix's. Other than there, \`fit=fill\` distorts (\`fit=pad\` adds a border), nothing is enlarged where no fit is named, \`blur\` is the sigma of a Gaussian in pixels, \`sharp\` is an amount to 100, \`mark\` takes the name of a configured overlay and no URL, and \`rect\` takes fractions too. \`facearea\`, \`fillmax\`, \`min\`, borders and blend modes are not there.

## As with IPX

Where \`images.grammars\` has \`ipx\`, \`/_ipx/w_320,f_webp/photos/cat.jpg\` works as with IPX 3 and 4, so that Nuxt Image needs no change: from the root of the app, where the path goes through a mount, and below each mount's own prefix (\`/photos/_ipx/w_320,f_webp/cat.jpg\`). Modifiers are parted by \`,\` or \`&\`, arguments by \`_\`, \`:\` or \`=\`, and \`_\` alone is no modifier: ${list(['w', 'width', 'h', 'height', 's', 'resize', 'enlarge', 'flip', 'flop', 'flatten', 'a', 'animated', ...ipxModifiers.keys()])}. Other operations are taken under the names below: \`radius_20\`.

As there, \`s\` cuts (\`fit_cover\`) unless told otherwise, nothing is enlarged without \`enlarge\`, of \`w\`, \`s\` and \`h\` together the first counts, and frames are kept with \`animated\` or as GIF. Other than there, pictures are upright by their EXIF orientation (\`orient_none\` leaves them), \`negate\` leaves transparency alone, \`b\` also goes behind transparency, \`animated_false\` means no, and what is unknown is refused. \`opacity\`, \`f_heic\` and a border that repeats the picture are not there.

${Object.entries(steps).map(stepSections).join('\n\n')}
`
}
