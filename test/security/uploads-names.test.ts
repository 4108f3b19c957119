import t from 'tap'
import { childKey, rootKey } from '../../lib/paths/request-path.ts'
import { givenName, normalKey } from '../../lib/writing/names.ts'
import { codeOf, type Comparing } from '../helpers/upload-types.ts'

/*
 * The name of a file is the client's choice: in a path, in a form, in the metadata of a resumable
 * upload. With it somebody may try to leave the mount, to have a file run by something beside us, or
 * to have people take it for another one.
 */

/** In ASCII: what is tested here would not leave the report whole either. */
const shown = (name: string): string => name.replace(/[^\x20-\x7e]/g, character => `\\u${character.charCodeAt(0).toString(16)}`)

const refusedAsKey = async (t: Comparing, name: string): Promise<void> => { t.equal(await codeOf(() => normalKey(childKey(rootKey, name))), 'bad-name', shown(name)) }
const refusedAsName = async (t: Comparing, name: string): Promise<void> => { t.equal(await codeOf(() => givenName(name)), 'bad-name', shown(name)) }

t.test('nothing climbs', async t => {
  for (const name of ['..', '.', '../x', 'a/../x', 'a/./x', 'a//x', '/x', 'x/', '..\\x', '\\x', 'a\\..\\x', '...', '....//x', '‥', '‥/x', '．．/x', '․․/x', '．', '…', 'a／b', '..／x', 'a∕b', 'a⁄b', 'a＼b', 'a∖b', '℀.txt', 'C:/x', 'c:x']) await refusedAsKey(t, name)
  for (const name of ['../../etc/passwd', '..\\..\\windows\\win.ini', '/etc/passwd', '\\\\server\\share\\x', 'a/../../x', 'a/..', 'a/.', 'a/', './x', '..', '.', '', '/', '\\', 'C:\\..\\x', 'a//x', '．．/x', ' /x', '.. /x', 'file:///etc/passwd']) await refusedAsName(t, name)
})

t.test('nothing climbs for whoever decodes once more', async t => {
  for (const name of ['%2e%2e%2fetc%2fpasswd', '%2E%2E', 'a%2fb', 'a%5cb', 'a%00.jpg', 'a%0d%0ab', '%252e%252e%252f', 'a%7F']) {
    await refusedAsKey(t, name)
    await refusedAsName(t, name)
  }
})

t.test('no character that is not seen, or that lies about the order of others', async t => {
  const invisible = ['\0', '\n', '\r', '\t', '\u0007', '\u001B', '\u007F', '\u0085', '\u009F', '\u00AD', '\u034F', '\u061C', '\u115F', '\u17B4', '\u180E', '\u200B', '\u200C', '\u200D', '\u200E', '\u200F', '\u2028', '\u2029', '\u202A', '\u202B', '\u202C', '\u202D', '\u202E', '\u2060', '\u2066', '\u2067', '\u2068', '\u2069', '\u206A', '\u3164', '\uFE0F', '\uFEFF', '\uFFA0', '\uFFF9', '\u{E0001}', '\u{E0061}', '\u{1D173}']
  for (const character of invisible) {
    await refusedAsKey(t, `ca${character}t.jpg`)
    await refusedAsName(t, `cat${character}.jpg`)
  }
  await refusedAsKey(t, 'photo\u202Egpj.exe')
  await refusedAsKey(t, '👩\u200D.png')
})

t.test('no half characters, private ones, and such as are not assigned', async t => {
  for (const character of ['\uD800', '\uDFFF', '\uE000', '\uF8FF', '\u{F0000}', '\uFFFE', '\uFDD0', '\u{10FFFF}', '\u0378']) await refusedAsKey(t, `a${character}.jpg`)
})

t.test('no name that hides, ends as Windows ignores it, or means a device there', async t => {
  for (const name of ['.htaccess', '.env', '.git/config', 'a/.ssh/x', '．htaccess', '․htaccess', 'cat.jpg.', 'cat.jpg ', 'cat.jpg. .', ' cat.jpg', 'cat.jpg\u00A0', '\u3000cat.jpg', '\u0301cat.jpg', 'cat.php::$DATA', 'cat.jpg:stream', 'a<b', 'a>b', 'a"b', 'a|b', 'a?b', 'a*b']) await refusedAsKey(t, name)
  for (const name of ['con', 'CON', 'Con.jpg', 'prn', 'aux.txt', 'AUX.tar.gz', 'nul', 'nul .txt', 'com0', 'COM1.jpg', 'com9', 'lpt1', 'LPT³.txt', 'com¹', 'conin$', 'CONOUT$', 'clock$', 'ＣＯＮ.txt', 'a/nul/b']) await refusedAsKey(t, name)
})

t.test('no ending that a web server beside this one runs, wherever in the name', async t => {
  for (const name of ['shell.php', 'shell.PHP', 'shell.php.jpg', 'shell.jpg.php', 'shell.php5', 'x.phtml', 'x.pht.png', 'x.phar', 'x.phar.gif', 'x.jsp', 'x.jspx.txt', 'x.asp.jpg', 'x.aspx', 'x.ashx', 'x.cgi', 'x.shtml.jpg', 'x.cfm', 'shell.ｐｈｐ.jpg', 'x.php.', 'x.php%00.jpg']) {
    await refusedAsKey(t, name)
    await refusedAsName(t, name)
  }
})

t.test('no ending of a program before another one', async t => {
  for (const name of ['invoice.exe.pdf', 'x.sh.txt', 'x.bat.jpg', 'x.VBS.txt', 'x.hta.html', 'x.jar.zip', 'x.ps1.txt', 'x.lnk.pdf', 'x.scr.png']) await refusedAsKey(t, name)
})
