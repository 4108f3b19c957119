import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import { formatIpx, MAX_MODIFIERS_LENGTH, parseIpx } from '../../../lib/transform/grammars/ipx.ts'
import { ipxModifiers } from '../../../lib/transform/grammars/ipx-modifiers.ts'
import { parseQuery } from '../../../lib/transform/grammars/query.ts'
import { canonical, transformText } from '../../../lib/transform/transform.ts'
import { cpuClock } from '../../helpers/process.ts'
import { randomValues, seeded } from '../../helpers/random-transforms.ts'

const parse = (modifiers: string): ReturnType<typeof parseIpx>['asked'] => parseIpx(`${modifiers}/cat.jpg`).asked
const meaning = (modifiers: string): string => transformText(canonical(parse(modifiers).values))
const query = (search: string): string => transformText(canonical(parseQuery(search, { unknown: 'refuse', ignored: [] }).values))
const refusal = (path: string): string => {
  try {
    parseIpx(path)
  } catch (error) {
    if (error instanceof MediaError && error.code === 'bad-transform' && error.statusCode === 400) return error.detail ?? ''
    throw error
  }
  return 'accepted'
}

t.test('the first segment holds the modifiers, the rest is the path as it was sent', async t => {
  t.strictSame(parseIpx('w_320,f_webp,a/photos/my%20cat.jpg'), { asked: { values: { w: 320, f: 'webp', animated: true }, info: false }, path: 'photos/my%20cat.jpg' })
  t.strictSame(parseIpx('_/cat.jpg'), { asked: { values: {}, info: false }, path: 'cat.jpg' })
  t.strictSame(parseIpx('w_5/https://example.com/a_b,c.jpg').path, 'https://example.com/a_b,c.jpg')
  t.match(refusal('w_320'), /^After the modifiers comes the path of a picture/)
  t.match(refusal('w_320/'), /^After the modifiers/)
  t.match(refusal('/cat.jpg'), /^Modifiers are missing; _ stands for none/)
  t.match(refusal(''), /Modifiers are missing/)
})

t.test('separators are those of IPX', async t => {
  for (const modifiers of ['w_320,q_50', 'w_320&q_50', 'w:320,q=50', 'q_50,w_320', 'width_320&quality_50']) t.equal(meaning(modifiers), query('w=320&q=50'), modifiers)
})

t.test('sizes mean what they mean to IPX', async t => {
  const same = [
    ['w_320', 'w=320'], ['h_200', 'h=200'], ['w_320,enlarge', 'w=320&enlarge'], ['w_320,fit_cover', 'w=320'],
    ['s_300x200', 'w=300&h=200&fit=cover&enlarge=0'], ['resize_300x200', 'w=300&h=200&fit=cover&enlarge=0'], ['s_300', 'w=300&h=300&fit=cover&enlarge=0'], ['s_300x', 'w=300&h=300&fit=cover&enlarge=0'],
    ['s_300x200,enlarge', 'w=300&h=200&fit=cover'], ['s_300x200,fit_contain,b_fff,enlarge', 'w=300&h=200&fit=contain&bg=ffffff'], ['fit_inside,s_300x200', 'w=300&h=200'],
    ['s_300x200,pos_top', 'w=300&h=200&fit=cover&enlarge=0&position=top'], ['s_300x200,position_right%20top', 'w=300&h=200&fit=cover&enlarge=0&position=top-right'],
    ['s_300x200,pos_right-top', 'w=300&h=200&fit=cover&enlarge=0&position=top-right'], ['s_300x200,pos_17', 'w=300&h=200&fit=cover&enlarge=0&position=attention'], ['s_300x200,pos_7', 'w=300&h=200&fit=cover&enlarge=0&position=bottom-left'],
    ['s_300x200,kernel_mitchell', 'w=300&h=200&fit=cover&enlarge=0&kernel=mitchell'],
    ['w_320,h_200', 'w=320'], ['s_300x200,w_320', 'w=320'], ['s_300x200,h_100', 'w=300&h=200&fit=cover&enlarge=0']
  ] as const
  for (const [modifiers, search] of same) t.equal(meaning(modifiers), query(search), modifiers)
})

t.test('frames are kept where IPX keeps them', async t => {
  const same = [['f_webp', 'f=webp&animated=0'], ['f_auto', 'f=auto&animated=0'], ['f_webp,a', 'f=webp'], ['f_webp,animated', 'f=webp'], ['f_webp,animated_true', 'f=webp'], ['f_gif', 'f=gif'], ['f_gif,a_false', 'f=gif&animated=0'], ['_', '']] as const
  for (const [modifiers, search] of same) t.equal(meaning(modifiers), query(search), modifiers)
})

t.test('every modifier of IPX 3 and 4 has its meaning', async t => {
  const same = [
    ['quality_50', 'q=50'], ['format_jpg', 'f=jpeg&animated=0'], ['trim', 'trim=auto'], ['trim_10', 'trim=10'], ['background_red', 'bg=ff0000'], ['b_%23f00', 'bg=ff0000'],
    ['extend_1_2_3_4', 'pad=1,2,3,4'], ['extend_10', 'pad=10,0,0,0'], ['extend_1_2_3_4_background', 'pad=1,2,3,4'],
    ['extract_10_20_30_40', 'rect=10,20,30,40'], ['crop_10_20_30_40', 'rect=10,20,30,40'],
    ['rotate_90', 'rot=90'], ['rotate_-450', 'rot=-90'], ['rotate', ''], ['autoorient', ''],
    ['flip', 'flip=v'], ['flop', 'flip=h'], ['flip,flop', 'flip=hv'], ['flip_true', 'flip=v'], ['flip_false', ''],
    ['sharpen', 'sharp=1,1,2'], ['sharpen_2', 'sharp=2,1,2'], ['sharpen_2_3_4', 'sharp=2,3,4'], ['median', 'median=3'], ['median_5', 'median=5'], ['blur_5', 'blur=5'], ['blur', 'blur=0.8'],
    ['flatten', 'bg=000000'], ['flatten,b_fff', 'bg=ffffff'], ['flatten_false', ''], ['gamma', 'gamma=2.2'], ['gamma_1.5', 'gamma=1.5'], ['gamma_1.5_1.5', 'gamma=1.5'],
    ['negate', 'invert'], ['negate_false', ''], ['normalize', 'normalise'], ['threshold', 'threshold=128'], ['threshold_100', 'threshold=100'], ['threshold_100_true', 'threshold=100'],
    ['tint_ff8800', 'tint=ff8800'], ['grayscale', 'greyscale'], ['grayscale_true', 'greyscale'],
    ['modulate_1.2', 'bri=20'], ['modulate_1.2_0.4_120', 'bri=20&sat=-60&hue=120'], ['modulate___90', 'hue=90'], ['modulate_1_1_0_20', 'lightness=20'],
    ['brightness_2,saturation_0,hue_-90,lightness_5', 'bri=100&sat=-100&hue=270&lightness=5'],
    ['dilate_2', 'dilate=2'], ['erode', 'erode=1'], ['clahe_40', 'clahe=40'], ['clahe_40_40_3', 'clahe=40'], ['linear_1.5_-40', 'linear=1.5,-40'], ['linear_2', 'linear=2'], ['unflatten', 'unflatten']
  ] as const
  for (const [modifiers, search] of same) t.equal(meaning(modifiers), query(search), modifiers)
  const tested = new Set(same.flatMap(([modifiers]) => modifiers.split(',').map(modifier => modifier.split('_')[0])))
  for (const name of ipxModifiers.keys()) t.ok(tested.has(name) || ['q', 'f', 'fit', 'pos', 'position', 'kernel', 'b'].includes(name), `${name} is tested`)
})

t.test('operations that IPX does not have are taken under our names', async t => {
  t.equal(meaning('w_320,ar_16:9,radius_20,mark_logo,mark-position_top-left,sharp_30,fx_0.2'), query('w=320&ar=16:9&fit=cover&enlarge=0&radius=20&mark=logo&mark-position=top-left&sharp=30&fx=0.2'))
  t.equal(meaning('flip_hv'), query('flip=hv'))
  t.equal(meaning('flip_h,flatten_ff0000'), query('flip=h&bg=red'))
  t.equal(meaning('txt_a%5Fb%2Cc%3Dd%2Fe'), query('txt=a_b,c%3Dd/e'))
  t.strictSame(parse('preset_card,info,download_my_cat.jpg'), { values: {}, info: true, preset: 'card', download: 'my_cat.jpg' })
  t.strictSame(parse('p_card_2,dl'), { values: {}, info: false, preset: 'card_2', download: '' })
})

t.test('what means nothing is refused by name, all at once', async t => {
  const refused = [
    ['widht_320', 'Unknown modifier "widht". Did you mean width?'], ['opacity_0.5', /^Unknown modifier "opacity"/], ['__proto__', /^Unknown modifier ""/], ['constructor_1', /^Unknown modifier "constructor"/],
    ['w_320,w_320', 'Modifier w is repeated'], ['w_320,width_320', 'Modifiers w and width say the same'], ['s_1x1,resize_2x2', 'Modifiers s and resize say the same'], ['flip,flip', 'Modifier flip is repeated'], ['hue_5,modulate_1_1_5', 'Modifiers hue and modulate say the same'], ['b_fff,background_fff', /say the same/], ['preset_a,p_b', /say the same/],
    ['w_', /^w: Expected a number/], ['w', /^w: Expected/], ['w_1_2', /^w: Expected/], ['s_x200', /^s: Expected WIDTHxHEIGHT, received "x200"$/], ['s_1x2x3', /^s: Expected/], ['s', /^s: Expected/], ['s_0x5', /^s: Expected a number/], ['s_1x2_3', /^s: Expected/],
    ['f_heic', /^f: Expected one of/], ['extend_1_2_3_4_mirror', /^extend: arguments that are not supported, "1_2_3_4_mirror"$/], ['extract_1_2_3', /^extract: Expected left,top/], ['gamma_1.5_2', /^gamma: arguments/], ['threshold_5_false', /^threshold: arguments/], ['clahe_5_6', /^clahe: arguments/],
    ['blur_5_float', /^blur: arguments/], ['sharpen_1_2_3_4', /^sharpen: arguments/], ['modulate_x', /^modulate: Expected/], ['modulate_1_1_1_1_1', /^modulate: arguments/], ['rotate_x', /^rotate: Expected/], ['rotate_90_5', /^rotate: arguments/], ['negate_1_2', /^negate: arguments/],
    ['flip_x', /^flip: Expected/], ['flop_x', /^flop: Expected 1 or 0/], ['enlarge_maybe', /^enlarge: Expected/], ['flatten_x', /^flatten: Expected a colour/], ['preset_', /^preset: Expected a name/], ['download_a%00', /NUL/],
    ['txt_%zz', '"txt_%zz" is not percent-encoded UTF-8 without NUL'], ['', /^Modifiers are missing/], [',', /^Unknown modifier ""; Unknown modifier ""$/], ['x_1,yy_2,w_z', /^Unknown modifier "x"; Unknown modifier "yy"; w: Expected/]
  ] as const
  for (const [modifiers, detail] of refused) t.match(refusal(`${modifiers}/cat.jpg`), detail, modifiers)
  t.match(refusal(`${'w'.repeat(MAX_MODIFIERS_LENGTH + 1)}/cat.jpg`), /^The modifiers have 4097 characters, more than 4096$/)
})

t.test('what Nuxt Image writes is written so', async t => {
  const write = (search: string): string => formatIpx(parseQuery(search, { unknown: 'refuse', ignored: [] }))
  t.equal(write(''), '_')
  t.equal(write('w=320&f=webp&animated=0'), 'w_320,f_webp')
  t.equal(write('w=300&h=200&fit=cover&enlarge=0&position=top-right&q=80'), 's_300x200,fit_cover,pos_northeast,q_80')
  t.equal(write('h=200&bri=20&sat=-60&flip=hv&rect=1,2,30,40&pad=5'), 'h_200,extend_5_5_5_5,flip,flop,modulate_1.2_0.4_0,extract_1_2_30_40')
})

t.test('written and read again it means the same, five thousand times', async t => {
  const random = seeded(20)
  for (let i = 0; i < 5000; i++) {
    const asked = { values: randomValues(random), info: random() < 0.1, ...random() < 0.2 ? { preset: 'card_2' } : {}, ...random() < 0.2 ? { download: 'a_&b=%,.jpg' } : {} }
    const modifiers = formatIpx(asked)
    const { asked: again, path } = parseIpx(`${modifiers}/a/b.jpg`)
    if (path !== 'a/b.jpg') t.fail(`path: ${modifiers}`)
    if (again.info !== asked.info || again.preset !== asked.preset || again.download !== asked.download) t.fail(`beside: ${modifiers}`)
    const [before, after] = [transformText(canonical(asked.values)), transformText(canonical(again.values))]
    if (before !== after) t.fail(`${modifiers}: ${before} became ${after}`)
  }
  t.pass()
})

t.test('whatever is sent is read or refused as 400, in time in proportion to its length', async t => {
  const random = seeded(21)
  const bits = ['w', 's', '_', ',', '&', ':', '=', '/', '%', '%00', '%5F', '1', '300x200', 'flip', 'extend', 'modulate', 'f', 'auto', '-', '.', '\u0000', '\ud800', '😀', '__proto__', 'rotate', 'flatten', 'w_5', 'cat.jpg']
  let read = 0
  for (let i = 0; i < 20_000; i++) {
    const path = Array.from({ length: 1 + Math.floor(random() * 10) }, () => random() < 0.1 ? String.fromCharCode(Math.floor(random() * 0x250)) : bits[Math.floor(random() * bits.length)]).join('')
    if (refusal(path) === 'accepted' || refusal(`s_3x2,${path}/x`) === 'accepted') read++
  }
  t.ok(read > 100 && read < 19_000, `${read} were read`)
  const took = cpuClock()
  for (const unit of ['a,', ',', '_', 'w_1,', '%', 's_1x', 'extend_1_', 'flip,', '/']) refusal(`${unit.repeat(Math.floor(MAX_MODIFIERS_LENGTH / unit.length))}/cat.jpg`)
  refusal('/'.repeat(1_000_000))
  refusal('w_1'.repeat(1_000_000))
  t.ok(took() < 5000, `${Math.round(took())} ms of processor time`)
})
