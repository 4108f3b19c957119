/*
 * What may be in an SVG: elements and attributes of SVG 1.1 and 2 that draw. All others,
 * known to be harmful or not known at all, are left out.
 */

function words (text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}

/** Elements that hold others or draw. Not there: script, foreignObject, feImage, animation, metadata, handlers. */
export const ELEMENTS = words(`
  svg g defs symbol use switch a title desc style
  path rect circle ellipse line polyline polygon image text tspan textPath
  linearGradient radialGradient stop pattern clipPath mask marker
  filter feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap
  feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology
  feOffset fePointLight feSpecularLighting feSpotLight feTile feTurbulence`)

/** Elements whose text is kept. */
export const TEXT_ELEMENTS = words('text tspan textPath a title desc')

/** Elements that are drawn themselves. */
export const SHAPES = words('path rect circle ellipse line polyline polygon image text tspan textPath')

/** Properties that may stand in a style sheet, a style attribute or an attribute of their own (SVG 2 §6.6). */
export const PROPERTIES = words(`
  alignment-baseline baseline-shift clip-path clip-rule color color-interpolation color-interpolation-filters
  color-rendering cx cy direction display dominant-baseline enable-background fill fill-opacity fill-rule filter
  flood-color flood-opacity font font-family font-feature-settings font-kerning font-size font-size-adjust font-stretch
  font-style font-variant font-weight glyph-orientation-horizontal glyph-orientation-vertical height image-rendering
  isolation kerning letter-spacing lighting-color line-height marker marker-end marker-mid marker-start mask mask-type
  mix-blend-mode opacity overflow paint-order r rx ry shape-rendering stop-color stop-opacity stroke stroke-dasharray
  stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width text-align text-anchor
  text-decoration text-indent text-orientation text-rendering transform transform-box transform-origin unicode-bidi
  vector-effect visibility white-space width word-spacing writing-mode x y`)

/** Attributes that are no properties. `style`, `class`, `id` and `href` are looked at one by one. */
export const ATTRIBUTES = words(`
  amplitude azimuth baseFrequency bias clipPathUnits d diffuseConstant divisor dx dy edgeMode elevation exponent
  filterUnits fr fx fy gradientTransform gradientUnits in in2 intercept k1 k2 k3 k4 kernelMatrix kernelUnitLength
  lengthAdjust limitingConeAngle markerHeight markerUnits markerWidth maskContentUnits maskUnits method mode
  numOctaves offset operator order orient path pathLength patternContentUnits patternTransform patternUnits points
  pointsAtX pointsAtY pointsAtZ preserveAlpha preserveAspectRatio primitiveUnits radius refX refY requiredExtensions
  requiredFeatures result rotate scale seed side slope spacing specularConstant specularExponent spreadMethod
  startOffset stdDeviation stitchTiles surfaceScale systemLanguage tableValues targetX targetY textLength type values
  version viewBox x1 x2 xChannelSelector y1 y2 yChannelSelector z`)

/** Functions of CSS that fetch nothing; `url` is looked at by itself. */
export const FUNCTIONS = words(`
  rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix calc min max clamp
  matrix translate translatex translatey scale scalex scaley rotate skew skewx skewy
  blur brightness contrast drop-shadow grayscale hue-rotate invert opacity saturate sepia
  circle ellipse inset polygon rect xywh path`)

/** Properties that everything inside inherits: a reference there counts for each shape inside. */
export const INHERITED = words('fill stroke marker marker-start marker-mid marker-end')
